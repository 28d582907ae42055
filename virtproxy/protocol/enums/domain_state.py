# SPDX-License-Identifier: LGPL-2.1-or-later
"""States of a domain and the reasons for them.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum


class DomainState(IntEnum):
    """virDomainState: VIR_DOMAIN_*."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7


class DomainNostateReason(IntEnum):
    """virDomainNostateReason: VIR_DOMAIN_NOSTATE_*."""

    UNKNOWN = 0


class DomainRunningReason(IntEnum):
    """virDomainRunningReason: VIR_DOMAIN_RUNNING_*."""

    UNKNOWN = 0
    BOOTED = 1
    MIGRATED = 2
    RESTORED = 3
    FROM_SNAPSHOT = 4
    UNPAUSED = 5
    MIGRATION_CANCELED = 6
    SAVE_CANCELED = 7
    WAKEUP = 8
    CRASHED = 9
    POSTCOPY = 10
    POSTCOPY_FAILED = 11


class DomainPausedReason(IntEnum):
    """virDomainPausedReason: VIR_DOMAIN_PAUSED_*."""

    UNKNOWN = 0
    USER = 1
    MIGRATION = 2
    SAVE = 3
    DUMP = 4
    IOERROR = 5
    WATCHDOG = 6
    FROM_SNAPSHOT = 7
    SHUTTING_DOWN = 8
    SNAPSHOT = 9
    CRASHED = 10
    STARTING_UP = 11
    POSTCOPY = 12
    POSTCOPY_FAILED = 13
    API_ERROR = 14


class DomainShutdownReason(IntEnum):
    """virDomainShutdownReason: VIR_DOMAIN_SHUTDOWN_*."""

    UNKNOWN = 0
    USER = 1


class DomainShutoffReason(IntEnum):
    """virDomainShutoffReason: VIR_DOMAIN_SHUTOFF_*."""

    UNKNOWN = 0
    SHUTDOWN = 1
    DESTROYED = 2
    CRASHED = 3
    MIGRATED = 4
    SAVED = 5
    FAILED = 6
    FROM_SNAPSHOT = 7
    DAEMON = 8


class DomainCrashedReason(IntEnum):
    """virDomainCrashedReason: VIR_DOMAIN_CRASHED_*."""

    UNKNOWN = 0
    PANICKED = 1


class DomainPMSuspendedReason(IntEnum):
    """virDomainPMSuspendedReason: VIR_DOMAIN_PMSUSPENDED_*."""

    UNKNOWN = 0


class DomainPMSuspendedDiskReason(IntEnum):
    """virDomainPMSuspendedDiskReason: VIR_DOMAIN_PMSUSPENDED_DISK_*."""

    UNKNOWN = 0


class DomainControlState(IntEnum):
    """virDomainControlState: VIR_DOMAIN_CONTROL_*."""

    OK = 0
    JOB = 1
    OCCUPIED = 2
    ERROR = 3


class DomainControlErrorReason(IntEnum):
    """virDomainControlErrorReason: VIR_DOMAIN_CONTROL_ERROR_REASON_*."""

    NONE = 0
    UNKNOWN = 1
    MONITOR = 2
    INTERNAL = 3


class DomainLifecycle(IntEnum):
    """virDomainLifecycle: VIR_DOMAIN_LIFECYCLE_*."""

    POWEROFF = 0
    REBOOT = 1
    CRASH = 2


class DomainLifecycleAction(IntEnum):
    """virDomainLifecycleAction: VIR_DOMAIN_LIFECYCLE_ACTION_*."""

    DESTROY = 0
    RESTART = 1
    RESTART_RENAME = 2
    PRESERVE = 3
    COREDUMP_DESTROY = 4
    COREDUMP_RESTART = 5
