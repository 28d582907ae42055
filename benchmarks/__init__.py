# SPDX-License-Identifier: LGPL-2.1-or-later
"""Benchmarks of the relay: `python -m benchmarks`; see __main__.py."""

from __future__ import annotations
