# SPDX-License-Identifier: LGPL-2.1-or-later
"""One connection, either end."""

from __future__ import annotations
