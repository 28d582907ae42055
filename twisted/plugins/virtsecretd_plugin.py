# SPDX-License-Identifier: LGPL-2.1-or-later
"""twistd's plugin for virtsecretd."""

from __future__ import annotations

from virtproxy.daemon.twistd import DaemonMaker

virtsecretd = DaemonMaker("virtsecretd")
