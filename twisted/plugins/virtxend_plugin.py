# SPDX-License-Identifier: LGPL-2.1-or-later
"""twistd's plugin for virtxend."""

from __future__ import annotations

from virtproxy.daemon.twistd import DaemonMaker

virtxend = DaemonMaker("virtxend")
