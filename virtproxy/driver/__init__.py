# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a driver author imports."""

from __future__ import annotations
