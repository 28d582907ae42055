# SPDX-License-Identifier: LGPL-2.1-or-later
"""The record of who asked for what and what came of it: entries, the chained file, its readers."""

from __future__ import annotations
