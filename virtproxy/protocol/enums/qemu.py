# SPDX-License-Identifier: LGPL-2.1-or-later
"""What only the QEMU driver has.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DomainQemuMonitorCommandFlags(IntFlag):
    """virDomainQemuMonitorCommandFlags: VIR_DOMAIN_QEMU_MONITOR_COMMAND_*."""

    DEFAULT = 0
    HMP = 1 << 0


class DomainQemuAgentCommandTimeoutValues(IntEnum):
    """virDomainQemuAgentCommandTimeoutValues: VIR_DOMAIN_QEMU_AGENT_COMMAND_*."""

    MIN = -2
    BLOCK = -2
    DEFAULT = -1
    NOWAIT = 0
    SHUTDOWN = 60


class ConnectDomainQemuMonitorEventRegisterFlags(IntFlag):
    """virConnectDomainQemuMonitorEventRegisterFlags: VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_*."""

    REGEX = 1 << 0
    NOCASE = 1 << 1
