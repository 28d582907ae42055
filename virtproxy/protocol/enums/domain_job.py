# SPDX-License-Identifier: LGPL-2.1-or-later
"""Migration and jobs of a domain.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DomainMigrateFlags(IntFlag):
    """virDomainMigrateFlags: VIR_MIGRATE_*."""

    LIVE = 1 << 0
    PEER2PEER = 1 << 1
    TUNNELLED = 1 << 2
    PERSIST_DEST = 1 << 3
    UNDEFINE_SOURCE = 1 << 4
    PAUSED = 1 << 5
    NON_SHARED_DISK = 1 << 6
    NON_SHARED_INC = 1 << 7
    CHANGE_PROTECTION = 1 << 8
    UNSAFE = 1 << 9
    OFFLINE = 1 << 10
    COMPRESSED = 1 << 11
    ABORT_ON_ERROR = 1 << 12
    AUTO_CONVERGE = 1 << 13
    RDMA_PIN_ALL = 1 << 14
    POSTCOPY = 1 << 15
    TLS = 1 << 16
    PARALLEL = 1 << 17
    NON_SHARED_SYNCHRONOUS_WRITES = 1 << 18
    POSTCOPY_RESUME = 1 << 19
    ZEROCOPY = 1 << 20


class DomainMigrateMaxSpeedFlags(IntFlag):
    """virDomainMigrateMaxSpeedFlags: VIR_DOMAIN_MIGRATE_MAX_SPEED_*."""

    POSTCOPY = 1 << 0


class DomainJobType(IntEnum):
    """virDomainJobType: VIR_DOMAIN_JOB_*."""

    NONE = 0
    BOUNDED = 1
    UNBOUNDED = 2
    COMPLETED = 3
    FAILED = 4
    CANCELLED = 5


class DomainGetJobStatsFlags(IntFlag):
    """virDomainGetJobStatsFlags: VIR_DOMAIN_JOB_STATS_*."""

    COMPLETED = 1 << 0
    KEEP_COMPLETED = 1 << 1


class DomainAbortJobFlagsValues(IntFlag):
    """virDomainAbortJobFlagsValues: VIR_DOMAIN_ABORT_JOB_*."""

    POSTCOPY = 1 << 0


class DomainJobOperation(IntEnum):
    """virDomainJobOperation: VIR_DOMAIN_JOB_OPERATION_*."""

    UNKNOWN = 0
    START = 1
    SAVE = 2
    RESTORE = 3
    MIGRATION_IN = 4
    MIGRATION_OUT = 5
    SNAPSHOT = 6
    SNAPSHOT_REVERT = 7
    DUMP = 8
    BACKUP = 9
    SNAPSHOT_DELETE = 10
