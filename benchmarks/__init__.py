# SPDX-License-Identifier: LGPL-2.1-or-later
"""Benchmarks of the relay; see run.py."""

from __future__ import annotations
