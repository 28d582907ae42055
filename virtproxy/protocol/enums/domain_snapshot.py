# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flags of snapshots, checkpoints and backups.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntFlag


class DomainBackupBeginFlags(IntFlag):
    """virDomainBackupBeginFlags: VIR_DOMAIN_BACKUP_BEGIN_*."""

    REUSE_EXTERNAL = 1 << 0


class DomainCheckpointCreateFlags(IntFlag):
    """virDomainCheckpointCreateFlags: VIR_DOMAIN_CHECKPOINT_CREATE_*."""

    REDEFINE = 1 << 0
    QUIESCE = 1 << 1
    REDEFINE_VALIDATE = 1 << 2


class DomainCheckpointXMLFlags(IntFlag):
    """virDomainCheckpointXMLFlags: VIR_DOMAIN_CHECKPOINT_XML_*."""

    SECURE = 1 << 0
    NO_DOMAIN = 1 << 1
    SIZE = 1 << 2


class DomainCheckpointListFlags(IntFlag):
    """virDomainCheckpointListFlags: VIR_DOMAIN_CHECKPOINT_LIST_*."""

    ROOTS = 1 << 0
    DESCENDANTS = 1 << 0
    TOPOLOGICAL = 1 << 1
    LEAVES = 1 << 2
    NO_LEAVES = 1 << 3


class DomainCheckpointDeleteFlags(IntFlag):
    """virDomainCheckpointDeleteFlags: VIR_DOMAIN_CHECKPOINT_DELETE_*."""

    CHILDREN = 1 << 0
    METADATA_ONLY = 1 << 1
    CHILDREN_ONLY = 1 << 2


class DomainSnapshotCreateFlags(IntFlag):
    """virDomainSnapshotCreateFlags: VIR_DOMAIN_SNAPSHOT_CREATE_*."""

    REDEFINE = 1 << 0
    CURRENT = 1 << 1
    NO_METADATA = 1 << 2
    HALT = 1 << 3
    DISK_ONLY = 1 << 4
    REUSE_EXT = 1 << 5
    QUIESCE = 1 << 6
    ATOMIC = 1 << 7
    LIVE = 1 << 8
    VALIDATE = 1 << 9


class DomainSnapshotXMLFlags(IntFlag):
    """virDomainSnapshotXMLFlags: VIR_DOMAIN_SNAPSHOT_XML_*."""

    SECURE = 1 << 0


class DomainSnapshotListFlags(IntFlag):
    """virDomainSnapshotListFlags: VIR_DOMAIN_SNAPSHOT_LIST_*."""

    ROOTS = 1 << 0
    DESCENDANTS = 1 << 0
    LEAVES = 1 << 2
    NO_LEAVES = 1 << 3
    METADATA = 1 << 1
    NO_METADATA = 1 << 4
    INACTIVE = 1 << 5
    ACTIVE = 1 << 6
    DISK_ONLY = 1 << 7
    INTERNAL = 1 << 8
    EXTERNAL = 1 << 9
    TOPOLOGICAL = 1 << 10


class DomainSnapshotRevertFlags(IntFlag):
    """virDomainSnapshotRevertFlags: VIR_DOMAIN_SNAPSHOT_REVERT_*."""

    RUNNING = 1 << 0
    PAUSED = 1 << 1
    FORCE = 1 << 2
    RESET_NVRAM = 1 << 3


class DomainSnapshotDeleteFlags(IntFlag):
    """virDomainSnapshotDeleteFlags: VIR_DOMAIN_SNAPSHOT_DELETE_*."""

    CHILDREN = 1 << 0
    METADATA_ONLY = 1 << 1
    CHILDREN_ONLY = 1 << 2
