# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is calling."""

from __future__ import annotations
