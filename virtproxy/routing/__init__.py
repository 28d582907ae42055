# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemon serves a call."""

from __future__ import annotations
