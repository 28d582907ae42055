# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a caller may do: the read-only gate and the seam for access decisions."""

from __future__ import annotations
