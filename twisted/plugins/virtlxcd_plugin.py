# SPDX-License-Identifier: LGPL-2.1-or-later
"""twistd's plugin for virtlxcd."""

from __future__ import annotations

from virtproxy.daemon.twistd import DaemonMaker

virtlxcd = DaemonMaker("virtlxcd")
