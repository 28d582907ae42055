# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every daemon shares."""

from __future__ import annotations
