# SPDX-License-Identifier: LGPL-2.1-or-later
"""Inside a domain: consoles, screen, keys, agent, file systems, security, core dumps.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullDomain, TypedParam
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED, denied_when
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Chars, Hyper, Int, Max, UHyper, UInt

procedure = PROGRAM.procedure

DOMAIN_MEMORY_PEEK_BUFFER_MAX = 4194304
SECURITY_LABEL_LIST_MAX = 64
SECURITY_LABEL_MAX = 4097
DOMAIN_SEND_KEY_MAX = 16
DOMAIN_FSFREEZE_MOUNTPOINTS_MAX = 256
DOMAIN_FSINFO_MAX = 256
DOMAIN_FSINFO_DISKS_MAX = 256
DOMAIN_INTERFACE_MAX = 2048
DOMAIN_IP_ADDR_MAX = 2048
DOMAIN_LAUNCH_SECURITY_INFO_PARAMS_MAX = 64
DOMAIN_LAUNCH_SECURITY_STATE_PARAMS_MAX = 64
DOMAIN_GUEST_INFO_PARAMS_MAX = 2048
DOMAIN_AUTHORIZED_SSH_KEYS_MAX = 2048
DOMAIN_MESSAGES_MAX = 2048

# Flags that the rules below speak of.
DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT = 1


class DomainFsinfo(Struct):
    mountpoint: NonnullString
    name: NonnullString
    fstype: NonnullString
    dev_aliases: Annotated[list[NonnullString], Max(DOMAIN_FSINFO_DISKS_MAX)]


class DomainIpAddr(Struct):
    type: Int
    addr: NonnullString
    prefix: UInt


class DomainInterface(Struct):
    name: NonnullString
    hwaddr: String
    addrs: Annotated[list[DomainIpAddr], Max(DOMAIN_IP_ADDR_MAX)]


class DomainCoreDumpArgs(Struct):
    dom: NonnullDomain
    to: NonnullString
    flags: UInt


DOMAIN_CORE_DUMP = procedure(
    53, "DOMAIN_CORE_DUMP", DomainCoreDumpArgs, None,
    readonly=DENIED, acl=("domain:core_dump",), api="virDomainCoreDump",
)


class DomainInterfaceStatsArgs(Struct):
    dom: NonnullDomain
    device: NonnullString


class DomainInterfaceStatsRet(Struct):
    rx_bytes: Hyper
    rx_packets: Hyper
    rx_errs: Hyper
    rx_drop: Hyper
    tx_bytes: Hyper
    tx_packets: Hyper
    tx_errs: Hyper
    tx_drop: Hyper


DOMAIN_INTERFACE_STATS = procedure(
    65, "DOMAIN_INTERFACE_STATS", DomainInterfaceStatsArgs, DomainInterfaceStatsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainInterfaceStats", high_priority=True,
)


class DomainMemoryPeekArgs(Struct):
    dom: NonnullDomain
    offset: UHyper
    size: UInt
    flags: UInt


class DomainMemoryPeekRet(Struct):
    buffer: Annotated[bytes, Max(DOMAIN_MEMORY_PEEK_BUFFER_MAX)]


DOMAIN_MEMORY_PEEK = procedure(
    104, "DOMAIN_MEMORY_PEEK", DomainMemoryPeekArgs, DomainMemoryPeekRet,
    readonly=DENIED, acl=("domain:mem_read",), api="virDomainMemoryPeek",
)


class DomainGetSecurityLabelArgs(Struct):
    dom: NonnullDomain


class DomainGetSecurityLabelRet(Struct):
    label: Annotated[bytes, Chars(Max(SECURITY_LABEL_MAX))]
    enforcing: Int


DOMAIN_GET_SECURITY_LABEL = procedure(
    121, "DOMAIN_GET_SECURITY_LABEL", DomainGetSecurityLabelArgs, DomainGetSecurityLabelRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetSecurityLabel", high_priority=True,
)


class DomainOpenConsoleArgs(Struct):
    dom: NonnullDomain
    dev_name: String
    flags: UInt


DOMAIN_OPEN_CONSOLE = procedure(
    201, "DOMAIN_OPEN_CONSOLE", DomainOpenConsoleArgs, None,
    readonly=DENIED, acl=("domain:open_device",), api="virDomainOpenConsole", stream="read",
)


class DomainInjectNmiArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_INJECT_NMI = procedure(
    210, "DOMAIN_INJECT_NMI", DomainInjectNmiArgs, None,
    readonly=DENIED, acl=("domain:inject_nmi",), api="virDomainInjectNMI",
)


class DomainScreenshotArgs(Struct):
    dom: NonnullDomain
    screen: UInt
    flags: UInt


class DomainScreenshotRet(Struct):
    mime: String


DOMAIN_SCREENSHOT = procedure(
    211, "DOMAIN_SCREENSHOT", DomainScreenshotArgs, DomainScreenshotRet,
    readonly=DENIED, acl=("domain:screenshot",), api="virDomainScreenshot", stream="read",
)


class DomainSendKeyArgs(Struct):
    dom: NonnullDomain
    codeset: UInt
    holdtime: UInt
    keycodes: Annotated[list[UInt], Max(DOMAIN_SEND_KEY_MAX)]
    flags: UInt


DOMAIN_SEND_KEY = procedure(
    226, "DOMAIN_SEND_KEY", DomainSendKeyArgs, None,
    readonly=DENIED, acl=("domain:send_input",), api="virDomainSendKey",
)


class DomainOpenGraphicsArgs(Struct):
    dom: NonnullDomain
    idx: UInt
    flags: UInt


DOMAIN_OPEN_GRAPHICS = procedure(
    249, "DOMAIN_OPEN_GRAPHICS", DomainOpenGraphicsArgs, None,
    readonly=DENIED, acl=("domain:open_graphics",), api="virDomainOpenGraphics", fds="in",
)


class DomainPmSuspendForDurationArgs(Struct):
    dom: NonnullDomain
    target: UInt
    duration: UHyper
    flags: UInt


DOMAIN_PM_SUSPEND_FOR_DURATION = procedure(
    261, "DOMAIN_PM_SUSPEND_FOR_DURATION", DomainPmSuspendForDurationArgs, None,
    readonly=DENIED, acl=("domain:pm_control",), api="virDomainPMSuspendForDuration",
)


class DomainPmWakeupArgs(Struct):
    dom: NonnullDomain
    flags: UInt


DOMAIN_PM_WAKEUP = procedure(
    267, "DOMAIN_PM_WAKEUP", DomainPmWakeupArgs, None,
    readonly=DENIED, acl=("domain:pm_control",), api="virDomainPMWakeup",
)


class DomainGetHostnameArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetHostnameRet(Struct):
    hostname: NonnullString


DOMAIN_GET_HOSTNAME = procedure(
    277, "DOMAIN_GET_HOSTNAME", DomainGetHostnameArgs, DomainGetHostnameRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainGetHostname",
)


class DomainGetSecurityLabelListArgs(Struct):
    dom: NonnullDomain


class DomainGetSecurityLabelListRet(Struct):
    labels: Annotated[list[DomainGetSecurityLabelRet], Max(SECURITY_LABEL_LIST_MAX)]
    ret: Int


DOMAIN_GET_SECURITY_LABEL_LIST = procedure(
    278, "DOMAIN_GET_SECURITY_LABEL_LIST", DomainGetSecurityLabelListArgs, DomainGetSecurityLabelListRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetSecurityLabelList", high_priority=True,
)


class DomainFstrimArgs(Struct):
    dom: NonnullDomain
    mount_point: String
    minimum: UHyper
    flags: UInt


DOMAIN_FSTRIM = procedure(
    294, "DOMAIN_FSTRIM", DomainFstrimArgs, None,
    readonly=DENIED, acl=("domain:fs_trim",), api="virDomainFSTrim",
)


class DomainSendProcessSignalArgs(Struct):
    dom: NonnullDomain
    pid_value: Hyper
    signum: UInt
    flags: UInt


DOMAIN_SEND_PROCESS_SIGNAL = procedure(
    295, "DOMAIN_SEND_PROCESS_SIGNAL", DomainSendProcessSignalArgs, None,
    readonly=DENIED, acl=("domain:send_signal",), api="virDomainSendProcessSignal",
)


class DomainOpenChannelArgs(Struct):
    dom: NonnullDomain
    name: String
    flags: UInt


DOMAIN_OPEN_CHANNEL = procedure(
    296, "DOMAIN_OPEN_CHANNEL", DomainOpenChannelArgs, None,
    readonly=DENIED, acl=("domain:open_device",), api="virDomainOpenChannel", stream="read",
)


class DomainCoreDumpWithFormatArgs(Struct):
    dom: NonnullDomain
    to: NonnullString
    dumpformat: UInt
    flags: UInt


DOMAIN_CORE_DUMP_WITH_FORMAT = procedure(
    334, "DOMAIN_CORE_DUMP_WITH_FORMAT", DomainCoreDumpWithFormatArgs, None,
    readonly=DENIED, acl=("domain:core_dump",), api="virDomainCoreDumpWithFormat",
)


class DomainFsfreezeArgs(Struct):
    dom: NonnullDomain
    mountpoints: Annotated[list[NonnullString], Max(DOMAIN_FSFREEZE_MOUNTPOINTS_MAX)]
    flags: UInt


class DomainFsfreezeRet(Struct):
    filesystems: Int


DOMAIN_FSFREEZE = procedure(
    335, "DOMAIN_FSFREEZE", DomainFsfreezeArgs, DomainFsfreezeRet,
    readonly=DENIED, acl=("domain:fs_freeze",), api="virDomainFSFreeze",
)


class DomainFsthawArgs(Struct):
    dom: NonnullDomain
    mountpoints: Annotated[list[NonnullString], Max(DOMAIN_FSFREEZE_MOUNTPOINTS_MAX)]
    flags: UInt


class DomainFsthawRet(Struct):
    filesystems: Int


DOMAIN_FSTHAW = procedure(
    336, "DOMAIN_FSTHAW", DomainFsthawArgs, DomainFsthawRet,
    readonly=DENIED, acl=("domain:fs_freeze",), api="virDomainFSThaw",
)


class DomainGetTimeArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetTimeRet(Struct):
    seconds: Hyper
    nseconds: UInt


DOMAIN_GET_TIME = procedure(
    337, "DOMAIN_GET_TIME", DomainGetTimeArgs, DomainGetTimeRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainGetTime",
)


class DomainSetTimeArgs(Struct):
    dom: NonnullDomain
    seconds: Hyper
    nseconds: UInt
    flags: UInt


DOMAIN_SET_TIME = procedure(
    338, "DOMAIN_SET_TIME", DomainSetTimeArgs, None,
    readonly=DENIED, acl=("domain:set_time",), api="virDomainSetTime",
)


class DomainOpenGraphicsFdArgs(Struct):
    dom: NonnullDomain
    idx: UInt
    flags: UInt


DOMAIN_OPEN_GRAPHICS_FD = procedure(
    343, "DOMAIN_OPEN_GRAPHICS_FD", DomainOpenGraphicsFdArgs, None,
    readonly=DENIED, acl=("domain:open_graphics",), api="virDomainOpenGraphicsFD", fds="out",
)


class DomainGetFsinfoArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetFsinfoRet(Struct):
    info: Annotated[list[DomainFsinfo], Max(DOMAIN_FSINFO_MAX)]
    ret: UInt


DOMAIN_GET_FSINFO = procedure(
    349, "DOMAIN_GET_FSINFO", DomainGetFsinfoArgs, DomainGetFsinfoRet,
    readonly=DENIED, acl=("domain:fs_freeze",), api="virDomainGetFSInfo",
)


class DomainInterfaceAddressesArgs(Struct):
    dom: NonnullDomain
    source: UInt
    flags: UInt


class DomainInterfaceAddressesRet(Struct):
    ifaces: Annotated[list[DomainInterface], Max(DOMAIN_INTERFACE_MAX)]


DOMAIN_INTERFACE_ADDRESSES = procedure(
    353, "DOMAIN_INTERFACE_ADDRESSES", DomainInterfaceAddressesArgs, DomainInterfaceAddressesRet,
    readonly=denied_when("source", DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT),
    acl=("domain:read", "domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT"),
    api="virDomainInterfaceAddresses",
)


class DomainSetUserPasswordArgs(Struct):
    dom: NonnullDomain
    user: String
    password: String
    flags: UInt


DOMAIN_SET_USER_PASSWORD = procedure(
    357, "DOMAIN_SET_USER_PASSWORD", DomainSetUserPasswordArgs, None,
    readonly=DENIED, acl=("domain:set_password",), api="virDomainSetUserPassword",
)


class DomainGetLaunchSecurityInfoArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetLaunchSecurityInfoRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_LAUNCH_SECURITY_INFO_PARAMS_MAX)]


DOMAIN_GET_LAUNCH_SECURITY_INFO = procedure(
    396, "DOMAIN_GET_LAUNCH_SECURITY_INFO", DomainGetLaunchSecurityInfoArgs, DomainGetLaunchSecurityInfoRet,
    readonly=DENIED, acl=("domain:read",), api="virDomainGetLaunchSecurityInfo",
)


class DomainGetGuestInfoArgs(Struct):
    dom: NonnullDomain
    types: UInt
    flags: UInt


class DomainGetGuestInfoRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_GUEST_INFO_PARAMS_MAX)]


DOMAIN_GET_GUEST_INFO = procedure(
    418, "DOMAIN_GET_GUEST_INFO", DomainGetGuestInfoArgs, DomainGetGuestInfoRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainGetGuestInfo",
)


class DomainAgentSetResponseTimeoutArgs(Struct):
    dom: NonnullDomain
    timeout: Int
    flags: UInt


class DomainAgentSetResponseTimeoutRet(Struct):
    result: Int


DOMAIN_AGENT_SET_RESPONSE_TIMEOUT = procedure(
    420, "DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", DomainAgentSetResponseTimeoutArgs, DomainAgentSetResponseTimeoutRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainAgentSetResponseTimeout",
)


class DomainAuthorizedSshKeysGetArgs(Struct):
    dom: NonnullDomain
    user: NonnullString
    flags: UInt


class DomainAuthorizedSshKeysGetRet(Struct):
    keys: Annotated[list[NonnullString], Max(DOMAIN_AUTHORIZED_SSH_KEYS_MAX)]


DOMAIN_AUTHORIZED_SSH_KEYS_GET = procedure(
    424, "DOMAIN_AUTHORIZED_SSH_KEYS_GET", DomainAuthorizedSshKeysGetArgs, DomainAuthorizedSshKeysGetRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainAuthorizedSSHKeysGet",
)


class DomainAuthorizedSshKeysSetArgs(Struct):
    dom: NonnullDomain
    user: NonnullString
    keys: Annotated[list[NonnullString], Max(DOMAIN_AUTHORIZED_SSH_KEYS_MAX)]
    flags: UInt


DOMAIN_AUTHORIZED_SSH_KEYS_SET = procedure(
    425, "DOMAIN_AUTHORIZED_SSH_KEYS_SET", DomainAuthorizedSshKeysSetArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainAuthorizedSSHKeysSet",
)


class DomainGetMessagesArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetMessagesRet(Struct):
    msgs: Annotated[list[NonnullString], Max(DOMAIN_MESSAGES_MAX)]


DOMAIN_GET_MESSAGES = procedure(
    426, "DOMAIN_GET_MESSAGES", DomainGetMessagesArgs, DomainGetMessagesRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetMessages",
)


class DomainStartDirtyRateCalcArgs(Struct):
    dom: NonnullDomain
    seconds: Int
    flags: UInt


DOMAIN_START_DIRTY_RATE_CALC = procedure(
    427, "DOMAIN_START_DIRTY_RATE_CALC", DomainStartDirtyRateCalcArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainStartDirtyRateCalc",
)


class DomainSetLaunchSecurityStateArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_LAUNCH_SECURITY_STATE_PARAMS_MAX)]
    flags: UInt


DOMAIN_SET_LAUNCH_SECURITY_STATE = procedure(
    439, "DOMAIN_SET_LAUNCH_SECURITY_STATE", DomainSetLaunchSecurityStateArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetLaunchSecurityState",
)


class DomainFdAssociateArgs(Struct):
    dom: NonnullDomain
    name: NonnullString
    flags: UInt


DOMAIN_FD_ASSOCIATE = procedure(
    443, "DOMAIN_FD_ASSOCIATE", DomainFdAssociateArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainFDAssociate", fds="in",
)


class DomainGraphicsReloadArgs(Struct):
    dom: NonnullDomain
    type: UInt
    flags: UInt


DOMAIN_GRAPHICS_RELOAD = procedure(
    448, "DOMAIN_GRAPHICS_RELOAD", DomainGraphicsReloadArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainGraphicsReload", since="11.3",
)
