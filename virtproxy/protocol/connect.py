# SPDX-License-Identifier: LGPL-2.1-or-later
"""The connection itself: opening, identity, facts about the host and the hypervisor, event loops of the connection.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, TypedParam
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UHyper, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

CONNECT_IDENTITY_PARAMS_MAX = 20
CPU_BASELINE_MAX = 256
CONNECT_CPU_MODELS_MAX = 8192


class ConnectOpenArgs(Struct):
    name: String
    flags: UInt


CONNECT_OPEN = procedure(
    1, "CONNECT_OPEN", ConnectOpenArgs, None,
    family=Family.DAEMON, edge="open", readonly=ALLOWED, acl=("connect:getattr",), high_priority=True,
)

CONNECT_CLOSE = procedure(
    2, "CONNECT_CLOSE", None, None,
    family=Family.DAEMON, edge="close", readonly=ALLOWED, acl=("none",), high_priority=True,
)


class ConnectGetTypeRet(Struct):
    type: NonnullString


CONNECT_GET_TYPE = procedure(
    3, "CONNECT_GET_TYPE", None, ConnectGetTypeRet,
    readonly=ALLOWED, acl=("connect:getattr",), api="virConnectGetType", high_priority=True,
)


class ConnectGetVersionRet(Struct):
    hv_ver: UHyper


CONNECT_GET_VERSION = procedure(
    4, "CONNECT_GET_VERSION", None, ConnectGetVersionRet,
    readonly=ALLOWED, acl=("connect:getattr",), api="virConnectGetVersion", high_priority=True,
)


class ConnectGetMaxVcpusArgs(Struct):
    type: String


class ConnectGetMaxVcpusRet(Struct):
    max_vcpus: Int


CONNECT_GET_MAX_VCPUS = procedure(
    5, "CONNECT_GET_MAX_VCPUS", ConnectGetMaxVcpusArgs, ConnectGetMaxVcpusRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectGetMaxVcpus", high_priority=True,
)


class ConnectGetCapabilitiesRet(Struct):
    capabilities: NonnullString


CONNECT_GET_CAPABILITIES = procedure(
    7, "CONNECT_GET_CAPABILITIES", None, ConnectGetCapabilitiesRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectGetCapabilities",
)


class ConnectGetHostnameRet(Struct):
    hostname: NonnullString


CONNECT_GET_HOSTNAME = procedure(
    59, "CONNECT_GET_HOSTNAME", None, ConnectGetHostnameRet,
    readonly=ALLOWED, acl=("connect:getattr",), api="virConnectGetHostname", high_priority=True,
)


class ConnectSupportsFeatureArgs(Struct):
    feature: Int


class ConnectSupportsFeatureRet(Struct):
    supported: Int


CONNECT_SUPPORTS_FEATURE = procedure(
    60, "CONNECT_SUPPORTS_FEATURE", ConnectSupportsFeatureArgs, ConnectSupportsFeatureRet,
    edge="feature", readonly=ALLOWED, acl=("connect:getattr",), api="virConnectSupportsFeature", high_priority=True,
)


class ConnectGetUriRet(Struct):
    uri: NonnullString


CONNECT_GET_URI = procedure(
    110, "CONNECT_GET_URI", None, ConnectGetUriRet,
    readonly=ALLOWED, acl=("connect:getattr",), api="virConnectGetURI", high_priority=True,
)


class ConnectIsSecureRet(Struct):
    secure: Int


CONNECT_IS_SECURE = procedure(
    149, "CONNECT_IS_SECURE", None, ConnectIsSecureRet,
    readonly=ALLOWED, acl=("none",), api="virConnectIsSecure", high_priority=True,
)


class ConnectGetLibVersionRet(Struct):
    lib_ver: UHyper


CONNECT_GET_LIB_VERSION = procedure(
    157, "CONNECT_GET_LIB_VERSION", None, ConnectGetLibVersionRet,
    readonly=ALLOWED, acl=("connect:getattr",), api="virConnectGetLibVersion", high_priority=True,
)


class ConnectCompareCpuArgs(Struct):
    xml: NonnullString
    flags: UInt


class ConnectCompareCpuRet(Struct):
    result: Int


CONNECT_COMPARE_CPU = procedure(
    158, "CONNECT_COMPARE_CPU", ConnectCompareCpuArgs, ConnectCompareCpuRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectCompareCPU", high_priority=True,
)


class ConnectBaselineCpuArgs(Struct):
    xml_cpus: Annotated[list[NonnullString], Max(CPU_BASELINE_MAX)]
    flags: UInt


class ConnectBaselineCpuRet(Struct):
    cpu: NonnullString


CONNECT_BASELINE_CPU = procedure(
    162, "CONNECT_BASELINE_CPU", ConnectBaselineCpuArgs, ConnectBaselineCpuRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectBaselineCPU",
)


class ConnectGetSysinfoArgs(Struct):
    flags: UInt


class ConnectGetSysinfoRet(Struct):
    sysinfo: NonnullString


CONNECT_GET_SYSINFO = procedure(
    203, "CONNECT_GET_SYSINFO", ConnectGetSysinfoArgs, ConnectGetSysinfoRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectGetSysinfo", high_priority=True,
)


class ConnectGetCpuModelNamesArgs(Struct):
    arch: NonnullString
    need_results: Int
    flags: UInt


class ConnectGetCpuModelNamesRet(Struct):
    models: Annotated[list[NonnullString], Max(CONNECT_CPU_MODELS_MAX)]
    ret: Int


CONNECT_GET_CPU_MODEL_NAMES = procedure(
    312, "CONNECT_GET_CPU_MODEL_NAMES", ConnectGetCpuModelNamesArgs, ConnectGetCpuModelNamesRet,
    readonly=ALLOWED, acl=("connect:read",), api="virConnectGetCPUModelNames",
)


class ConnectGetDomainCapabilitiesArgs(Struct):
    emulatorbin: String
    arch: String
    machine: String
    virttype: String
    flags: UInt


class ConnectGetDomainCapabilitiesRet(Struct):
    capabilities: NonnullString


CONNECT_GET_DOMAIN_CAPABILITIES = procedure(
    342, "CONNECT_GET_DOMAIN_CAPABILITIES", ConnectGetDomainCapabilitiesArgs, ConnectGetDomainCapabilitiesRet,
    readonly=DENIED, acl=("connect:write",), api="virConnectGetDomainCapabilities",
)

CONNECT_REGISTER_CLOSE_CALLBACK = procedure(
    360, "CONNECT_REGISTER_CLOSE_CALLBACK", None, None,
    edge="close-callback", readonly=ALLOWED, acl=("connect:getattr",), api="virConnectRegisterCloseCallback",
    high_priority=True,
)

CONNECT_UNREGISTER_CLOSE_CALLBACK = procedure(
    361, "CONNECT_UNREGISTER_CLOSE_CALLBACK", None, None,
    edge="close-callback", readonly=ALLOWED, acl=("connect:getattr",), api="virConnectUnregisterCloseCallback",
    high_priority=True,
)


class ConnectEventConnectionClosedMsg(Struct):
    reason: Int


CONNECT_EVENT_CONNECTION_CLOSED = event(362, "CONNECT_EVENT_CONNECTION_CLOSED", ConnectEventConnectionClosedMsg)


class ConnectCompareHypervisorCpuArgs(Struct):
    emulator: String
    arch: String
    machine: String
    virttype: String
    xml_cpu: NonnullString
    flags: UInt


class ConnectCompareHypervisorCpuRet(Struct):
    result: Int


CONNECT_COMPARE_HYPERVISOR_CPU = procedure(
    393, "CONNECT_COMPARE_HYPERVISOR_CPU", ConnectCompareHypervisorCpuArgs, ConnectCompareHypervisorCpuRet,
    readonly=DENIED, acl=("connect:write",), api="virConnectCompareHypervisorCPU",
)


class ConnectBaselineHypervisorCpuArgs(Struct):
    emulator: String
    arch: String
    machine: String
    virttype: String
    xml_cpus: Annotated[list[NonnullString], Max(CPU_BASELINE_MAX)]
    flags: UInt


class ConnectBaselineHypervisorCpuRet(Struct):
    cpu: NonnullString


CONNECT_BASELINE_HYPERVISOR_CPU = procedure(
    394, "CONNECT_BASELINE_HYPERVISOR_CPU", ConnectBaselineHypervisorCpuArgs, ConnectBaselineHypervisorCpuRet,
    readonly=DENIED, acl=("connect:write",), api="virConnectBaselineHypervisorCPU",
)


class ConnectSetIdentityArgs(Struct):
    params: Annotated[list[TypedParam], Max(CONNECT_IDENTITY_PARAMS_MAX)]
    flags: UInt


CONNECT_SET_IDENTITY = procedure(
    419, "CONNECT_SET_IDENTITY", ConnectSetIdentityArgs, None,
    edge="identity", readonly=ALLOWED, acl=("connect:write",),
)
