# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the command line share: the short directory of the daemon's tests."""

from __future__ import annotations

from tests.daemon.conftest import place

__all__ = ["place"]
