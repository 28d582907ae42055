# SPDX-License-Identifier: LGPL-2.1-or-later
"""twistd's plugin for virtnodedevd."""

from __future__ import annotations

from virtproxy.daemon.twistd import DaemonMaker

virtnodedevd = DaemonMaker("virtnodedevd")
