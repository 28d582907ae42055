# SPDX-License-Identifier: LGPL-2.1-or-later
"""Flags and choices of calls about domains.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class DomainModificationImpact(IntFlag):
    """virDomainModificationImpact: VIR_DOMAIN_AFFECT_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1


class DomainCreateFlags(IntFlag):
    """virDomainCreateFlags: VIR_DOMAIN_*."""

    NONE = 0
    START_PAUSED = 1 << 0
    START_AUTODESTROY = 1 << 1
    START_BYPASS_CACHE = 1 << 2
    START_FORCE_BOOT = 1 << 3
    START_VALIDATE = 1 << 4
    START_RESET_NVRAM = 1 << 5


class DomainMemoryStatTags(IntEnum):
    """virDomainMemoryStatTags: VIR_DOMAIN_MEMORY_STAT_*."""

    SWAP_IN = 0
    SWAP_OUT = 1
    MAJOR_FAULT = 2
    MINOR_FAULT = 3
    UNUSED = 4
    AVAILABLE = 5
    ACTUAL_BALLOON = 6
    RSS = 7
    USABLE = 8
    LAST_UPDATE = 9
    DISK_CACHES = 10
    HUGETLB_PGALLOC = 11
    HUGETLB_PGFAIL = 12
    NR = 13


class DomainCoreDumpFlags(IntFlag):
    """virDomainCoreDumpFlags: VIR_DUMP_*."""

    CRASH = 1 << 0
    LIVE = 1 << 1
    BYPASS_CACHE = 1 << 2
    RESET = 1 << 3
    MEMORY_ONLY = 1 << 4


class DomainCoreDumpFormat(IntEnum):
    """virDomainCoreDumpFormat: VIR_DOMAIN_CORE_DUMP_FORMAT_*."""

    RAW = 0
    KDUMP_ZLIB = 1
    KDUMP_LZO = 2
    KDUMP_SNAPPY = 3
    WIN_DMP = 4


class ConnectGetDomainCapabilitiesFlags(IntFlag):
    """virConnectGetDomainCapabilitiesFlags: VIR_CONNECT_GET_DOMAIN_CAPABILITIES_*."""

    DISABLE_DEPRECATED_FEATURES = 1 << 0


class DomainShutdownFlagValues(IntFlag):
    """virDomainShutdownFlagValues: VIR_DOMAIN_SHUTDOWN_*."""

    DEFAULT = 0
    ACPI_POWER_BTN = 1 << 0
    GUEST_AGENT = 1 << 1
    INITCTL = 1 << 2
    SIGNAL = 1 << 3
    PARAVIRT = 1 << 4


class DomainRebootFlagValues(IntFlag):
    """virDomainRebootFlagValues: VIR_DOMAIN_REBOOT_*."""

    DEFAULT = 0
    ACPI_POWER_BTN = 1 << 0
    GUEST_AGENT = 1 << 1
    INITCTL = 1 << 2
    SIGNAL = 1 << 3
    PARAVIRT = 1 << 4


class DomainDestroyFlagsValues(IntFlag):
    """virDomainDestroyFlagsValues: VIR_DOMAIN_DESTROY_*."""

    DEFAULT = 0
    GRACEFUL = 1 << 0
    REMOVE_LOGS = 1 << 1


class DomainSaveRestoreFlags(IntFlag):
    """virDomainSaveRestoreFlags: VIR_DOMAIN_SAVE_*."""

    BYPASS_CACHE = 1 << 0
    RUNNING = 1 << 1
    PAUSED = 1 << 2
    RESET_NVRAM = 1 << 3


class DomainMemoryModFlags(IntFlag):
    """virDomainMemoryModFlags: VIR_DOMAIN_MEM_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1
    MAXIMUM = 1 << 2


class DomainNumatuneMemMode(IntEnum):
    """virDomainNumatuneMemMode: VIR_DOMAIN_NUMATUNE_MEM_*."""

    STRICT = 0
    PREFERRED = 1
    INTERLEAVE = 2
    RESTRICTIVE = 3


class DomainGetHostnameFlags(IntFlag):
    """virDomainGetHostnameFlags: VIR_DOMAIN_GET_HOSTNAME_*."""

    LEASE = 1 << 0
    AGENT = 1 << 1


class DomainMetadataType(IntEnum):
    """virDomainMetadataType: VIR_DOMAIN_METADATA_*."""

    DESCRIPTION = 0
    TITLE = 1
    ELEMENT = 2


class DomainXMLFlags(IntFlag):
    """virDomainXMLFlags: VIR_DOMAIN_XML_*."""

    SECURE = 1 << 0
    INACTIVE = 1 << 1
    UPDATE_CPU = 1 << 2
    MIGRATABLE = 1 << 3


class DomainSaveImageXMLFlags(IntFlag):
    """virDomainSaveImageXMLFlags: VIR_DOMAIN_SAVE_IMAGE_XML_*."""

    SECURE = 1 << 0


class DomainMemoryFlags(IntFlag):
    """virDomainMemoryFlags: VIR_MEMORY_*."""

    VIRTUAL = 1 << 0
    PHYSICAL = 1 << 1


class DomainDefineFlags(IntFlag):
    """virDomainDefineFlags: VIR_DOMAIN_DEFINE_*."""

    VALIDATE = 1 << 0


class DomainUndefineFlagsValues(IntFlag):
    """virDomainUndefineFlagsValues: VIR_DOMAIN_UNDEFINE_*."""

    MANAGED_SAVE = 1 << 0
    SNAPSHOTS_METADATA = 1 << 1
    NVRAM = 1 << 2
    KEEP_NVRAM = 1 << 3
    CHECKPOINTS_METADATA = 1 << 4
    TPM = 1 << 5
    KEEP_TPM = 1 << 6


class ConnectListAllDomainsFlags(IntFlag):
    """virConnectListAllDomainsFlags: VIR_CONNECT_LIST_DOMAINS_*."""

    ACTIVE = 1 << 0
    INACTIVE = 1 << 1
    PERSISTENT = 1 << 2
    TRANSIENT = 1 << 3
    RUNNING = 1 << 4
    PAUSED = 1 << 5
    SHUTOFF = 1 << 6
    OTHER = 1 << 7
    MANAGEDSAVE = 1 << 8
    NO_MANAGEDSAVE = 1 << 9
    AUTOSTART = 1 << 10
    NO_AUTOSTART = 1 << 11
    HAS_SNAPSHOT = 1 << 12
    NO_SNAPSHOT = 1 << 13
    HAS_CHECKPOINT = 1 << 14
    NO_CHECKPOINT = 1 << 15


class VcpuState(IntEnum):
    """virVcpuState: VIR_VCPU_*."""

    OFFLINE = 0
    RUNNING = 1
    BLOCKED = 2


class VcpuHostCpuState(IntEnum):
    """virVcpuHostCpuState: VIR_VCPU_INFO_CPU_*."""

    OFFLINE = -1
    UNAVAILABLE = -2


class DomainVcpuFlags(IntFlag):
    """virDomainVcpuFlags: VIR_DOMAIN_VCPU_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1
    MAXIMUM = 1 << 2
    GUEST = 1 << 3
    HOTPLUGGABLE = 1 << 4


class DomainDeviceModifyFlags(IntFlag):
    """virDomainDeviceModifyFlags: VIR_DOMAIN_DEVICE_MODIFY_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1
    FORCE = 1 << 2


class DomainStatsTypes(IntFlag):
    """virDomainStatsTypes: VIR_DOMAIN_STATS_*."""

    STATE = 1 << 0
    CPU_TOTAL = 1 << 1
    BALLOON = 1 << 2
    VCPU = 1 << 3
    INTERFACE = 1 << 4
    BLOCK = 1 << 5
    PERF = 1 << 6
    IOTHREAD = 1 << 7
    MEMORY = 1 << 8
    DIRTYRATE = 1 << 9
    VM = 1 << 10


class ConnectGetAllDomainStatsFlags(IntFlag):
    """virConnectGetAllDomainStatsFlags: VIR_CONNECT_GET_ALL_DOMAINS_STATS_*."""

    ACTIVE = 1 << 0
    INACTIVE = 1 << 1
    PERSISTENT = 1 << 2
    TRANSIENT = 1 << 3
    RUNNING = 1 << 4
    PAUSED = 1 << 5
    SHUTOFF = 1 << 6
    OTHER = 1 << 7
    NOWAIT = 1 << 29
    BACKING = 1 << 30
    ENFORCE_STATS = 1 << 31


class KeycodeSet(IntEnum):
    """virKeycodeSet: VIR_KEYCODE_SET_*."""

    LINUX = 0
    XT = 1
    ATSET1 = 2
    ATSET2 = 3
    ATSET3 = 4
    OSX = 5
    XT_KBD = 6
    USB = 7
    WIN32 = 8
    QNUM = 9


class DomainProcessSignal(IntEnum):
    """virDomainProcessSignal: VIR_DOMAIN_PROCESS_SIGNAL_*."""

    NOP = 0
    HUP = 1
    INT = 2
    QUIT = 3
    ILL = 4
    TRAP = 5
    ABRT = 6
    BUS = 7
    FPE = 8
    KILL = 9
    USR1 = 10
    SEGV = 11
    USR2 = 12
    PIPE = 13
    ALRM = 14
    TERM = 15
    STKFLT = 16
    CHLD = 17
    CONT = 18
    STOP = 19
    TSTP = 20
    TTIN = 21
    TTOU = 22
    URG = 23
    XCPU = 24
    XFSZ = 25
    VTALRM = 26
    PROF = 27
    WINCH = 28
    POLL = 29
    PWR = 30
    SYS = 31
    RT0 = 32
    RT1 = 33
    RT2 = 34
    RT3 = 35
    RT4 = 36
    RT5 = 37
    RT6 = 38
    RT7 = 39
    RT8 = 40
    RT9 = 41
    RT10 = 42
    RT11 = 43
    RT12 = 44
    RT13 = 45
    RT14 = 46
    RT15 = 47
    RT16 = 48
    RT17 = 49
    RT18 = 50
    RT19 = 51
    RT20 = 52
    RT21 = 53
    RT22 = 54
    RT23 = 55
    RT24 = 56
    RT25 = 57
    RT26 = 58
    RT27 = 59
    RT28 = 60
    RT29 = 61
    RT30 = 62
    RT31 = 63
    RT32 = 64


class DomainConsoleFlags(IntFlag):
    """virDomainConsoleFlags: VIR_DOMAIN_CONSOLE_*."""

    FORCE = 1 << 0
    SAFE = 1 << 1


class DomainChannelFlags(IntFlag):
    """virDomainChannelFlags: VIR_DOMAIN_CHANNEL_*."""

    FORCE = 1 << 0


class DomainOpenGraphicsFlags(IntFlag):
    """virDomainOpenGraphicsFlags: VIR_DOMAIN_OPEN_GRAPHICS_*."""

    SKIPAUTH = 1 << 0


class DomainSetTimeFlags(IntFlag):
    """virDomainSetTimeFlags: VIR_DOMAIN_TIME_*."""

    SYNC = 1 << 0


class SchedParameterType(IntEnum):
    """virSchedParameterType: VIR_DOMAIN_SCHED_FIELD_*."""

    INT = 1
    UINT = 2
    LLONG = 3
    ULLONG = 4
    DOUBLE = 5
    BOOLEAN = 6


class BlkioParameterType(IntEnum):
    """virBlkioParameterType: VIR_DOMAIN_BLKIO_PARAM_*."""

    INT = 1
    UINT = 2
    LLONG = 3
    ULLONG = 4
    DOUBLE = 5
    BOOLEAN = 6


class MemoryParameterType(IntEnum):
    """virMemoryParameterType: VIR_DOMAIN_MEMORY_PARAM_*."""

    INT = 1
    UINT = 2
    LLONG = 3
    ULLONG = 4
    DOUBLE = 5
    BOOLEAN = 6


class DomainInterfaceAddressesSource(IntEnum):
    """virDomainInterfaceAddressesSource: VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_*."""

    LEASE = 0
    AGENT = 1
    ARP = 2


class DomainSetUserPasswordFlags(IntFlag):
    """virDomainSetUserPasswordFlags: VIR_DOMAIN_PASSWORD_*."""

    ENCRYPTED = 1 << 0


class DomainGuestInfoTypes(IntFlag):
    """virDomainGuestInfoTypes: VIR_DOMAIN_GUEST_INFO_*."""

    USERS = 1 << 0
    OS = 1 << 1
    TIMEZONE = 1 << 2
    HOSTNAME = 1 << 3
    FILESYSTEM = 1 << 4
    DISKS = 1 << 5
    INTERFACES = 1 << 6
    LOAD = 1 << 7


class DomainAgentResponseTimeoutValues(IntEnum):
    """virDomainAgentResponseTimeoutValues: VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_*."""

    BLOCK = -2
    DEFAULT = -1
    NOWAIT = 0


class DomainAuthorizedSSHKeysSetFlags(IntFlag):
    """virDomainAuthorizedSSHKeysSetFlags: VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_*."""

    APPEND = 1 << 0
    REMOVE = 1 << 1


class DomainMessageType(IntFlag):
    """virDomainMessageType: VIR_DOMAIN_MESSAGE_*."""

    DEPRECATION = 1 << 0
    TAINTING = 1 << 1
    IOERRORS = 1 << 2


class DomainDirtyRateStatus(IntEnum):
    """virDomainDirtyRateStatus: VIR_DOMAIN_DIRTYRATE_*."""

    UNSTARTED = 0
    MEASURING = 1
    MEASURED = 2


class DomainDirtyRateCalcFlags(IntFlag):
    """virDomainDirtyRateCalcFlags: VIR_DOMAIN_DIRTYRATE_MODE_*."""

    PAGE_SAMPLING = 0
    DIRTY_BITMAP = 1 << 0
    DIRTY_RING = 1 << 1


class DomainFDAssociateFlags(IntFlag):
    """virDomainFDAssociateFlags: VIR_DOMAIN_FD_ASSOCIATE_*."""

    SECLABEL_RESTORE = 1 << 0
    SECLABEL_WRITABLE = 1 << 1


class DomainGraphicsReloadType(IntEnum):
    """virDomainGraphicsReloadType: VIR_DOMAIN_GRAPHICS_RELOAD_TYPE_*."""

    ANY = 0
    VNC = 1


# One past the tags that were there when the number became part of the interface.
DOMAIN_MEMORY_STAT_NR = 13
