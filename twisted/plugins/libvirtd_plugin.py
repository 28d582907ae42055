# SPDX-License-Identifier: LGPL-2.1-or-later
"""twistd's plugin for libvirtd."""

from __future__ import annotations

from virtproxy.daemon.twistd import DaemonMaker

libvirtd = DaemonMaker("libvirtd")
