# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin interface.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ClientTransport(IntEnum):
    """virClientTransport: VIR_CLIENT_TRANS_*."""

    UNIX = 0
    TCP = 1
    TLS = 2


class AdmConnectDaemonShutdownFlags(IntFlag):
    """virAdmConnectDaemonShutdownFlags: VIR_DAEMON_SHUTDOWN_*."""

    PRESERVE = 1 << 0
