# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console scripts."""

from __future__ import annotations
