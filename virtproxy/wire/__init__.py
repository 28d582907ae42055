# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes to values and back: pure, without sockets and without Twisted."""

from __future__ import annotations
