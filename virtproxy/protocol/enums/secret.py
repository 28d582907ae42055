# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class SecretUsageType(IntEnum):
    """virSecretUsageType: VIR_SECRET_USAGE_TYPE_*."""

    NONE = 0
    VOLUME = 1
    CEPH = 2
    ISCSI = 3
    TLS = 4
    VTPM = 5


class ConnectListAllSecretsFlags(IntFlag):
    """virConnectListAllSecretsFlags: VIR_CONNECT_LIST_SECRETS_*."""

    EPHEMERAL = 1 << 0
    NO_EPHEMERAL = 1 << 1
    PRIVATE = 1 << 2
    NO_PRIVATE = 1 << 3


class SecretDefineFlags(IntFlag):
    """virSecretDefineFlags: VIR_SECRET_DEFINE_*."""

    VALIDATE = 1 << 0


class SecretEventID(IntEnum):
    """virSecretEventID: VIR_SECRET_EVENT_ID_*."""

    LIFECYCLE = 0
    VALUE_CHANGED = 1


class SecretEventLifecycleType(IntEnum):
    """virSecretEventLifecycleType: VIR_SECRET_EVENT_*."""

    DEFINED = 0
    UNDEFINED = 1
