# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of a domain: jobs, flags, errors.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DomainBlockedReason(IntEnum):
    """virDomainBlockedReason: VIR_DOMAIN_BLOCKED_*."""

    UNKNOWN = 0


class DomainBlockResizeFlags(IntFlag):
    """virDomainBlockResizeFlags: VIR_DOMAIN_BLOCK_RESIZE_*."""

    BYTES = 1 << 0
    CAPACITY = 1 << 1


class DomainBlockJobType(IntEnum):
    """virDomainBlockJobType: VIR_DOMAIN_BLOCK_JOB_TYPE_*."""

    UNKNOWN = 0
    PULL = 1
    COPY = 2
    COMMIT = 3
    ACTIVE_COMMIT = 4
    BACKUP = 5


class DomainBlockJobAbortFlags(IntFlag):
    """virDomainBlockJobAbortFlags: VIR_DOMAIN_BLOCK_JOB_ABORT_*."""

    ASYNC = 1 << 0
    PIVOT = 1 << 1


class DomainBlockJobInfoFlags(IntFlag):
    """virDomainBlockJobInfoFlags: VIR_DOMAIN_BLOCK_JOB_INFO_*."""

    BANDWIDTH_BYTES = 1 << 0


class DomainBlockJobSetSpeedFlags(IntFlag):
    """virDomainBlockJobSetSpeedFlags: VIR_DOMAIN_BLOCK_JOB_SPEED_*."""

    BANDWIDTH_BYTES = 1 << 0


class DomainBlockPullFlags(IntFlag):
    """virDomainBlockPullFlags: VIR_DOMAIN_BLOCK_PULL_*."""

    BANDWIDTH_BYTES = 1 << 6


class DomainBlockRebaseFlags(IntFlag):
    """virDomainBlockRebaseFlags: VIR_DOMAIN_BLOCK_REBASE_*."""

    SHALLOW = 1 << 0
    REUSE_EXT = 1 << 1
    COPY_RAW = 1 << 2
    COPY = 1 << 3
    RELATIVE = 1 << 4
    COPY_DEV = 1 << 5
    BANDWIDTH_BYTES = 1 << 6


class DomainBlockCopyFlags(IntFlag):
    """virDomainBlockCopyFlags: VIR_DOMAIN_BLOCK_COPY_*."""

    SHALLOW = 1 << 0
    REUSE_EXT = 1 << 1
    TRANSIENT_JOB = 1 << 2
    SYNCHRONOUS_WRITES = 1 << 3


class DomainBlockCommitFlags(IntFlag):
    """virDomainBlockCommitFlags: VIR_DOMAIN_BLOCK_COMMIT_*."""

    SHALLOW = 1 << 0
    DELETE = 1 << 1
    ACTIVE = 1 << 2
    RELATIVE = 1 << 3
    BANDWIDTH_BYTES = 1 << 4


class DomainDiskErrorCode(IntEnum):
    """virDomainDiskErrorCode: VIR_DOMAIN_DISK_ERROR_*."""

    NONE = 0
    UNSPEC = 1
    NO_SPACE = 2
