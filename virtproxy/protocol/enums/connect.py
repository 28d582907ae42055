# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connection.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ConnectCloseReason(IntEnum):
    """virConnectCloseReason: VIR_CONNECT_CLOSE_REASON_*."""

    ERROR = 0
    EOF = 1
    KEEPALIVE = 2
    CLIENT = 3


class ConnectFlags(IntFlag):
    """virConnectFlags: VIR_CONNECT_*."""

    RO = 1 << 0
    NO_ALIASES = 1 << 1


class ConnectCredentialType(IntEnum):
    """virConnectCredentialType: VIR_CRED_*."""

    USERNAME = 1
    AUTHNAME = 2
    LANGUAGE = 3
    CNONCE = 4
    PASSPHRASE = 5
    ECHOPROMPT = 6
    NOECHOPROMPT = 7
    REALM = 8
    EXTERNAL = 9


class ConnectCompareCPUFlags(IntFlag):
    """virConnectCompareCPUFlags: VIR_CONNECT_COMPARE_CPU_*."""

    FAIL_INCOMPATIBLE = 1 << 0
    VALIDATE_XML = 1 << 1


class ConnectBaselineCPUFlags(IntFlag):
    """virConnectBaselineCPUFlags: VIR_CONNECT_BASELINE_CPU_*."""

    EXPAND_FEATURES = 1 << 0
    MIGRATABLE = 1 << 1
