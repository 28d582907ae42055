# SPDX-License-Identifier: LGPL-2.1-or-later
"""The libvirt daemon family in Python on Twisted.

Imported by every room and by every console script: it must import nothing.
"""

from __future__ import annotations

__version__ = "0.1.0"
