# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host: CPU and memory, free pages, suspend, SEV.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import CPUMAP_MAX, PROGRAM, TypedParam
from virtproxy.protocol.net import NonnullString
from virtproxy.protocol.schema import ALLOWED, DENIED
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Chars, Int, Length, Max, UHyper, UInt

procedure = PROGRAM.procedure

NODE_CPU_STATS_MAX = 16
NODE_MEMORY_STATS_MAX = 16
NODE_MAX_CELLS = 1024
SECURITY_MODEL_MAX = 257
SECURITY_DOI_MAX = 257
NODE_MEMORY_PARAMETERS_MAX = 64
NODE_SEV_INFO_MAX = 64


class NodeGetCpuStats(Struct):
    field: NonnullString
    value: UHyper


class NodeGetMemoryStats(Struct):
    field: NonnullString
    value: UHyper


class NodeGetInfoRet(Struct):
    model: Annotated[bytes, Chars(Length(32))]
    memory: UHyper
    cpus: Int
    mhz: Int
    nodes: Int
    sockets: Int
    cores: Int
    threads: Int


NODE_GET_INFO = procedure(
    6, "NODE_GET_INFO", None, NodeGetInfoRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetInfo", high_priority=True,
)


class NodeGetCellsFreeMemoryArgs(Struct):
    start_cell: Int
    maxcells: Int


class NodeGetCellsFreeMemoryRet(Struct):
    cells: Annotated[list[UHyper], Max(NODE_MAX_CELLS)]


NODE_GET_CELLS_FREE_MEMORY = procedure(
    101, "NODE_GET_CELLS_FREE_MEMORY", NodeGetCellsFreeMemoryArgs, NodeGetCellsFreeMemoryRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetCellsFreeMemory", high_priority=True,
)


class NodeGetFreeMemoryRet(Struct):
    free_mem: UHyper


NODE_GET_FREE_MEMORY = procedure(
    102, "NODE_GET_FREE_MEMORY", None, NodeGetFreeMemoryRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetFreeMemory", high_priority=True,
)


class NodeGetSecurityModelRet(Struct):
    model: Annotated[bytes, Chars(Max(SECURITY_MODEL_MAX))]
    doi: Annotated[bytes, Chars(Max(SECURITY_DOI_MAX))]


NODE_GET_SECURITY_MODEL = procedure(
    122, "NODE_GET_SECURITY_MODEL", None, NodeGetSecurityModelRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetSecurityModel", high_priority=True,
)


class NodeGetCpuStatsArgs(Struct):
    cpu_num: Int
    nparams: Int
    flags: UInt


class NodeGetCpuStatsRet(Struct):
    params: Annotated[list[NodeGetCpuStats], Max(NODE_CPU_STATS_MAX)]
    nparams: Int


NODE_GET_CPU_STATS = procedure(
    227, "NODE_GET_CPU_STATS", NodeGetCpuStatsArgs, NodeGetCpuStatsRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetCPUStats", high_priority=True,
)


class NodeGetMemoryStatsArgs(Struct):
    nparams: Int
    cell_num: Int
    flags: UInt


class NodeGetMemoryStatsRet(Struct):
    params: Annotated[list[NodeGetMemoryStats], Max(NODE_MEMORY_STATS_MAX)]
    nparams: Int


NODE_GET_MEMORY_STATS = procedure(
    228, "NODE_GET_MEMORY_STATS", NodeGetMemoryStatsArgs, NodeGetMemoryStatsRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetMemoryStats", high_priority=True,
)


class NodeSuspendForDurationArgs(Struct):
    target: UInt
    duration: UHyper
    flags: UInt


NODE_SUSPEND_FOR_DURATION = procedure(
    250, "NODE_SUSPEND_FOR_DURATION", NodeSuspendForDurationArgs, None,
    readonly=DENIED, acl=("connect:pm_control",), api="virNodeSuspendForDuration",
)


class NodeSetMemoryParametersArgs(Struct):
    params: Annotated[list[TypedParam], Max(NODE_MEMORY_PARAMETERS_MAX)]
    flags: UInt


NODE_SET_MEMORY_PARAMETERS = procedure(
    288, "NODE_SET_MEMORY_PARAMETERS", NodeSetMemoryParametersArgs, None,
    readonly=DENIED, acl=("connect:write",), api="virNodeSetMemoryParameters",
)


class NodeGetMemoryParametersArgs(Struct):
    nparams: Int
    flags: UInt


class NodeGetMemoryParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(NODE_MEMORY_PARAMETERS_MAX)]
    nparams: Int


NODE_GET_MEMORY_PARAMETERS = procedure(
    289, "NODE_GET_MEMORY_PARAMETERS", NodeGetMemoryParametersArgs, NodeGetMemoryParametersRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetMemoryParameters",
)


class NodeGetCpuMapArgs(Struct):
    need_map: Int
    need_online: Int
    flags: UInt


class NodeGetCpuMapRet(Struct):
    cpumap: Annotated[bytes, Max(CPUMAP_MAX)]
    online: UInt
    ret: Int


NODE_GET_CPU_MAP = procedure(
    293, "NODE_GET_CPU_MAP", NodeGetCpuMapArgs, NodeGetCpuMapRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetCPUMap",
)


class NodeGetFreePagesArgs(Struct):
    pages: Annotated[list[UInt], Max(NODE_MAX_CELLS)]
    start_cell: Int
    cell_count: UInt
    flags: UInt


class NodeGetFreePagesRet(Struct):
    counts: Annotated[list[UHyper], Max(NODE_MAX_CELLS)]


NODE_GET_FREE_PAGES = procedure(
    340, "NODE_GET_FREE_PAGES", NodeGetFreePagesArgs, NodeGetFreePagesRet,
    readonly=ALLOWED, acl=("connect:read",), api="virNodeGetFreePages", high_priority=True,
)


class NodeAllocPagesArgs(Struct):
    page_sizes: Annotated[list[UInt], Max(NODE_MAX_CELLS)]
    page_counts: Annotated[list[UHyper], Max(NODE_MAX_CELLS)]
    start_cell: Int
    cell_count: UInt
    flags: UInt


class NodeAllocPagesRet(Struct):
    ret: Int


NODE_ALLOC_PAGES = procedure(
    347, "NODE_ALLOC_PAGES", NodeAllocPagesArgs, NodeAllocPagesRet,
    readonly=DENIED, acl=("connect:write",), api="virNodeAllocPages",
)


class NodeGetSevInfoArgs(Struct):
    nparams: Int
    flags: UInt


class NodeGetSevInfoRet(Struct):
    params: Annotated[list[TypedParam], Max(NODE_SEV_INFO_MAX)]
    nparams: Int


NODE_GET_SEV_INFO = procedure(
    395, "NODE_GET_SEV_INFO", NodeGetSevInfoArgs, NodeGetSevInfoRet,
    readonly=DENIED, acl=("connect:read",), api="virNodeGetSEVInfo",
)
