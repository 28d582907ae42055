# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a domain may use: virtual CPUs, memory, scheduler, block and NUMA parameters, IOThreads, statistics.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import (
    CPUMAP_MAX,
    DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX,
    DOMAIN_MODIFY,
    DOMAIN_SAVE_PARAMS_MAX,
    PROGRAM,
    NonnullDomain,
    TypedParam,
)
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED, denied_with_flags
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UHyper, UInt

procedure = PROGRAM.procedure

VCPUINFO_MAX = 16384
CPUMAPS_MAX = 8388608
IOTHREAD_INFO_MAX = 16384
DOMAIN_SCHEDULER_PARAMETERS_MAX = 16
DOMAIN_BLKIO_PARAMETERS_MAX = 16
DOMAIN_MEMORY_PARAMETERS_MAX = 16
DOMAIN_NUMA_PARAMETERS_MAX = 16
DOMAIN_PERF_EVENTS_MAX = 64
DOMAIN_MEMORY_STATS_MAX = 1024
DOMAIN_INTERFACE_PARAMETERS_MAX = 16
DOMAIN_GET_CPU_STATS_NCPUS_MAX = 128
DOMAIN_GET_CPU_STATS_MAX = 2048
DOMAIN_GUEST_VCPU_PARAMS_MAX = 64
DOMAIN_IOTHREAD_PARAMS_MAX = 64

# Flags that the rules below speak of.
DOMAIN_VCPU_GUEST = 1 << 3


class VcpuInfo(Struct):
    number: UInt
    state: Int
    cpu_time: UHyper
    cpu: Int


class DomainMemoryStat(Struct):
    tag: Int
    val: UHyper


class DomainIothreadInfo(Struct):
    iothread_id: UInt
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]


class DomainGetMaxMemoryArgs(Struct):
    dom: NonnullDomain


class DomainGetMaxMemoryRet(Struct):
    memory: UHyper


DOMAIN_GET_MAX_MEMORY = procedure(
    17, "DOMAIN_GET_MAX_MEMORY", DomainGetMaxMemoryArgs, DomainGetMaxMemoryRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetMaxMemory", high_priority=True,
)


class DomainGetMaxVcpusArgs(Struct):
    dom: NonnullDomain


class DomainGetMaxVcpusRet(Struct):
    num: Int


DOMAIN_GET_MAX_VCPUS = procedure(
    18, "DOMAIN_GET_MAX_VCPUS", DomainGetMaxVcpusArgs, DomainGetMaxVcpusRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetMaxVcpus", high_priority=True,
)


class DomainGetVcpusArgs(Struct):
    dom: NonnullDomain
    maxinfo: Int
    maplen: Int


class DomainGetVcpusRet(Struct):
    info: Annotated[list[VcpuInfo], Max(VCPUINFO_MAX)]
    cpumaps: Annotated[bytes, Max(CPUMAPS_MAX)]


DOMAIN_GET_VCPUS = procedure(
    20, "DOMAIN_GET_VCPUS", DomainGetVcpusArgs, DomainGetVcpusRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetVcpus", high_priority=True,
)


class DomainPinVcpuArgs(Struct):
    dom: NonnullDomain
    vcpu: UInt
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]


DOMAIN_PIN_VCPU = procedure(
    26, "DOMAIN_PIN_VCPU", DomainPinVcpuArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainPinVcpu",
)


class DomainSetMaxMemoryArgs(Struct):
    dom: NonnullDomain
    memory: UHyper


DOMAIN_SET_MAX_MEMORY = procedure(
    30, "DOMAIN_SET_MAX_MEMORY", DomainSetMaxMemoryArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetMaxMemory", high_priority=True,
)


class DomainSetMemoryArgs(Struct):
    dom: NonnullDomain
    memory: UHyper


DOMAIN_SET_MEMORY = procedure(
    31, "DOMAIN_SET_MEMORY", DomainSetMemoryArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetMemory",
)


class DomainSetVcpusArgs(Struct):
    dom: NonnullDomain
    nvcpus: UInt


DOMAIN_SET_VCPUS = procedure(
    32, "DOMAIN_SET_VCPUS", DomainSetVcpusArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetVcpus",
)


class DomainGetSchedulerTypeArgs(Struct):
    dom: NonnullDomain


class DomainGetSchedulerTypeRet(Struct):
    type: NonnullString
    nparams: Int


DOMAIN_GET_SCHEDULER_TYPE = procedure(
    56, "DOMAIN_GET_SCHEDULER_TYPE", DomainGetSchedulerTypeArgs, DomainGetSchedulerTypeRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetSchedulerType",
)


class DomainGetSchedulerParametersArgs(Struct):
    dom: NonnullDomain
    nparams: Int


class DomainGetSchedulerParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_SCHEDULER_PARAMETERS_MAX)]


DOMAIN_GET_SCHEDULER_PARAMETERS = procedure(
    57, "DOMAIN_GET_SCHEDULER_PARAMETERS", DomainGetSchedulerParametersArgs, DomainGetSchedulerParametersRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetSchedulerParameters",
)


class DomainSetSchedulerParametersArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_SCHEDULER_PARAMETERS_MAX)]


DOMAIN_SET_SCHEDULER_PARAMETERS = procedure(
    58, "DOMAIN_SET_SCHEDULER_PARAMETERS", DomainSetSchedulerParametersArgs, None,
    readonly=DENIED, acl=("domain:read",), api="virDomainSetSchedulerParameters",
)


class DomainMemoryStatsArgs(Struct):
    dom: NonnullDomain
    max_stats: UInt
    flags: UInt


class DomainMemoryStatsRet(Struct):
    stats: Annotated[list[DomainMemoryStat], Max(DOMAIN_MEMORY_STATS_MAX)]


DOMAIN_MEMORY_STATS = procedure(
    159, "DOMAIN_MEMORY_STATS", DomainMemoryStatsArgs, DomainMemoryStatsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainMemoryStats",
)


class DomainSetMemoryParametersArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_MEMORY_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_MEMORY_PARAMETERS = procedure(
    197, "DOMAIN_SET_MEMORY_PARAMETERS", DomainSetMemoryParametersArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetMemoryParameters",
)


class DomainGetMemoryParametersArgs(Struct):
    dom: NonnullDomain
    nparams: Int
    flags: UInt


class DomainGetMemoryParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_MEMORY_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_GET_MEMORY_PARAMETERS = procedure(
    198, "DOMAIN_GET_MEMORY_PARAMETERS", DomainGetMemoryParametersArgs, DomainGetMemoryParametersRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetMemoryParameters",
)


class DomainSetVcpusFlagsArgs(Struct):
    dom: NonnullDomain
    nvcpus: UInt
    flags: UInt


DOMAIN_SET_VCPUS_FLAGS = procedure(
    199, "DOMAIN_SET_VCPUS_FLAGS", DomainSetVcpusFlagsArgs, None,
    readonly=DENIED,
    acl=(
        "domain:write",
        "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
        "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        "domain:write:VIR_DOMAIN_VCPU_GUEST",
    ),
    api="virDomainSetVcpusFlags",
)


class DomainGetVcpusFlagsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetVcpusFlagsRet(Struct):
    num: Int


DOMAIN_GET_VCPUS_FLAGS = procedure(
    200, "DOMAIN_GET_VCPUS_FLAGS", DomainGetVcpusFlagsArgs, DomainGetVcpusFlagsRet,
    readonly=denied_with_flags(DOMAIN_VCPU_GUEST), acl=("domain:read", "domain:write:VIR_DOMAIN_VCPU_GUEST"),
    api="virDomainGetVcpusFlags",
)


class DomainSetMemoryFlagsArgs(Struct):
    dom: NonnullDomain
    memory: UHyper
    flags: UInt


DOMAIN_SET_MEMORY_FLAGS = procedure(
    204, "DOMAIN_SET_MEMORY_FLAGS", DomainSetMemoryFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetMemoryFlags",
)


class DomainSetBlkioParametersArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_BLKIO_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_BLKIO_PARAMETERS = procedure(
    205, "DOMAIN_SET_BLKIO_PARAMETERS", DomainSetBlkioParametersArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetBlkioParameters",
)


class DomainGetBlkioParametersArgs(Struct):
    dom: NonnullDomain
    nparams: Int
    flags: UInt


class DomainGetBlkioParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_BLKIO_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_GET_BLKIO_PARAMETERS = procedure(
    206, "DOMAIN_GET_BLKIO_PARAMETERS", DomainGetBlkioParametersArgs, DomainGetBlkioParametersRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetBlkioParameters",
)


class DomainSetSchedulerParametersFlagsArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_SCHEDULER_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS = procedure(
    219, "DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", DomainSetSchedulerParametersFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetSchedulerParametersFlags",
)


class DomainGetSchedulerParametersFlagsArgs(Struct):
    dom: NonnullDomain
    nparams: Int
    flags: UInt


class DomainGetSchedulerParametersFlagsRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_SCHEDULER_PARAMETERS_MAX)]


DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS = procedure(
    223, "DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS",
    DomainGetSchedulerParametersFlagsArgs, DomainGetSchedulerParametersFlagsRet, readonly=ALLOWED, acl=("domain:read",),
    api="virDomainGetSchedulerParametersFlags",
)


class DomainPinVcpuFlagsArgs(Struct):
    dom: NonnullDomain
    vcpu: UInt
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]
    flags: UInt


DOMAIN_PIN_VCPU_FLAGS = procedure(
    225, "DOMAIN_PIN_VCPU_FLAGS", DomainPinVcpuFlagsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainPinVcpuFlags",
)


class DomainGetVcpuPinInfoArgs(Struct):
    dom: NonnullDomain
    ncpumaps: Int
    maplen: Int
    flags: UInt


class DomainGetVcpuPinInfoRet(Struct):
    cpumaps: Annotated[bytes, Max(CPUMAPS_MAX)]
    num: Int


DOMAIN_GET_VCPU_PIN_INFO = procedure(
    230, "DOMAIN_GET_VCPU_PIN_INFO", DomainGetVcpuPinInfoArgs, DomainGetVcpuPinInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetVcpuPinInfo",
)


class DomainSetNumaParametersArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_NUMA_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_NUMA_PARAMETERS = procedure(
    254, "DOMAIN_SET_NUMA_PARAMETERS", DomainSetNumaParametersArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetNumaParameters",
)


class DomainGetNumaParametersArgs(Struct):
    dom: NonnullDomain
    nparams: Int
    flags: UInt


class DomainGetNumaParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_NUMA_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_GET_NUMA_PARAMETERS = procedure(
    255, "DOMAIN_GET_NUMA_PARAMETERS", DomainGetNumaParametersArgs, DomainGetNumaParametersRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetNumaParameters",
)


class DomainSetInterfaceParametersArgs(Struct):
    dom: NonnullDomain
    device: NonnullString
    params: Annotated[list[TypedParam], Max(DOMAIN_INTERFACE_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_INTERFACE_PARAMETERS = procedure(
    256, "DOMAIN_SET_INTERFACE_PARAMETERS", DomainSetInterfaceParametersArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetInterfaceParameters",
)


class DomainGetInterfaceParametersArgs(Struct):
    dom: NonnullDomain
    device: NonnullString
    nparams: Int
    flags: UInt


class DomainGetInterfaceParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_INTERFACE_PARAMETERS_MAX)]
    nparams: Int


DOMAIN_GET_INTERFACE_PARAMETERS = procedure(
    257, "DOMAIN_GET_INTERFACE_PARAMETERS", DomainGetInterfaceParametersArgs, DomainGetInterfaceParametersRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetInterfaceParameters",
)


class DomainGetCpuStatsArgs(Struct):
    dom: NonnullDomain
    nparams: UInt
    start_cpu: Int
    ncpus: UInt
    flags: UInt


class DomainGetCpuStatsRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_GET_CPU_STATS_MAX)]
    nparams: Int


DOMAIN_GET_CPU_STATS = procedure(
    262, "DOMAIN_GET_CPU_STATS", DomainGetCpuStatsArgs, DomainGetCpuStatsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetCPUStats",
)


class DomainPinEmulatorArgs(Struct):
    dom: NonnullDomain
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]
    flags: UInt


DOMAIN_PIN_EMULATOR = procedure(
    279, "DOMAIN_PIN_EMULATOR", DomainPinEmulatorArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainPinEmulator",
)


class DomainGetEmulatorPinInfoArgs(Struct):
    dom: NonnullDomain
    maplen: Int
    flags: UInt


class DomainGetEmulatorPinInfoRet(Struct):
    cpumaps: Annotated[bytes, Max(CPUMAPS_MAX)]
    ret: Int


DOMAIN_GET_EMULATOR_PIN_INFO = procedure(
    280, "DOMAIN_GET_EMULATOR_PIN_INFO", DomainGetEmulatorPinInfoArgs, DomainGetEmulatorPinInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetEmulatorPinInfo",
)


class DomainSetMemoryStatsPeriodArgs(Struct):
    dom: NonnullDomain
    period: Int
    flags: UInt


DOMAIN_SET_MEMORY_STATS_PERIOD = procedure(
    308, "DOMAIN_SET_MEMORY_STATS_PERIOD", DomainSetMemoryStatsPeriodArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetMemoryStatsPeriod",
)


class DomainGetIothreadInfoArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetIothreadInfoRet(Struct):
    info: Annotated[list[DomainIothreadInfo], Max(IOTHREAD_INFO_MAX)]
    ret: UInt


DOMAIN_GET_IOTHREAD_INFO = procedure(
    351, "DOMAIN_GET_IOTHREAD_INFO", DomainGetIothreadInfoArgs, DomainGetIothreadInfoRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetIOThreadInfo",
)


class DomainPinIothreadArgs(Struct):
    dom: NonnullDomain
    iothreads_id: UInt
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]
    flags: UInt


DOMAIN_PIN_IOTHREAD = procedure(
    352, "DOMAIN_PIN_IOTHREAD", DomainPinIothreadArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainPinIOThread",
)


class DomainAddIothreadArgs(Struct):
    dom: NonnullDomain
    iothread_id: UInt
    flags: UInt


DOMAIN_ADD_IOTHREAD = procedure(
    355, "DOMAIN_ADD_IOTHREAD", DomainAddIothreadArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainAddIOThread",
)


class DomainDelIothreadArgs(Struct):
    dom: NonnullDomain
    iothread_id: UInt
    flags: UInt


DOMAIN_DEL_IOTHREAD = procedure(
    356, "DOMAIN_DEL_IOTHREAD", DomainDelIothreadArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainDelIOThread",
)


class DomainGetPerfEventsArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetPerfEventsRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_PERF_EVENTS_MAX)]


DOMAIN_GET_PERF_EVENTS = procedure(
    365, "DOMAIN_GET_PERF_EVENTS", DomainGetPerfEventsArgs, DomainGetPerfEventsRet,
    readonly=ALLOWED, acl=("domain:read",), api="virDomainGetPerfEvents",
)


class DomainSetPerfEventsArgs(Struct):
    dom: NonnullDomain
    params: Annotated[list[TypedParam], Max(DOMAIN_PERF_EVENTS_MAX)]
    flags: UInt


DOMAIN_SET_PERF_EVENTS = procedure(
    366, "DOMAIN_SET_PERF_EVENTS", DomainSetPerfEventsArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetPerfEvents",
)


class DomainGetGuestVcpusArgs(Struct):
    dom: NonnullDomain
    flags: UInt


class DomainGetGuestVcpusRet(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_GUEST_VCPU_PARAMS_MAX)]


DOMAIN_GET_GUEST_VCPUS = procedure(
    371, "DOMAIN_GET_GUEST_VCPUS", DomainGetGuestVcpusArgs, DomainGetGuestVcpusRet,
    readonly=DENIED, acl=("domain:write",), api="virDomainGetGuestVcpus",
)


class DomainSetGuestVcpusArgs(Struct):
    dom: NonnullDomain
    cpumap: NonnullString
    state: Int
    flags: UInt


DOMAIN_SET_GUEST_VCPUS = procedure(
    372, "DOMAIN_SET_GUEST_VCPUS", DomainSetGuestVcpusArgs, None,
    readonly=DENIED, acl=("domain:write",), api="virDomainSetGuestVcpus",
)


class DomainSetVcpuArgs(Struct):
    dom: NonnullDomain
    cpumap: NonnullString
    state: Int
    flags: UInt


DOMAIN_SET_VCPU = procedure(
    384, "DOMAIN_SET_VCPU", DomainSetVcpuArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetVcpu",
)


class DomainSetIothreadParamsArgs(Struct):
    dom: NonnullDomain
    iothread_id: UInt
    params: Annotated[list[TypedParam], Max(DOMAIN_IOTHREAD_PARAMS_MAX)]
    flags: UInt


DOMAIN_SET_IOTHREAD_PARAMS = procedure(
    402, "DOMAIN_SET_IOTHREAD_PARAMS", DomainSetIothreadParamsArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetIOThreadParams",
)


class DomainRestoreParamsArgs(Struct):
    params: Annotated[list[TypedParam], Max(DOMAIN_SAVE_PARAMS_MAX)]
    flags: UInt


DOMAIN_RESTORE_PARAMS = procedure(
    441, "DOMAIN_RESTORE_PARAMS", DomainRestoreParamsArgs, None,
    readonly=DENIED, acl=("domain:start", "domain:write"), api="virDomainRestoreParams",
)


class DomainSetThrottleGroupArgs(Struct):
    dom: NonnullDomain
    group: NonnullString
    params: Annotated[list[TypedParam], Max(DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX)]
    flags: UInt


DOMAIN_SET_THROTTLE_GROUP = procedure(
    451, "DOMAIN_SET_THROTTLE_GROUP", DomainSetThrottleGroupArgs, None,
    readonly=DENIED, acl=DOMAIN_MODIFY, api="virDomainSetThrottleGroup", since="11.3",
)


class DomainDelThrottleGroupArgs(Struct):
    dom: NonnullDomain
    group: String
    flags: UInt


DOMAIN_DEL_THROTTLE_GROUP = procedure(
    452, "DOMAIN_DEL_THROTTLE_GROUP", DomainDelThrottleGroupArgs, None,
    readonly=ALLOWED, acl=DOMAIN_MODIFY, api="virDomainDelThrottleGroup", since="11.3",
)
