# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host: CPUs, memory, suspend.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class NodeSuspendTarget(IntEnum):
    """virNodeSuspendTarget: VIR_NODE_SUSPEND_TARGET_*."""

    MEM = 0
    DISK = 1
    HYBRID = 2


class NodeGetCPUStatsAllCPUs(IntEnum):
    """virNodeGetCPUStatsAllCPUs: VIR_NODE_CPU_STATS_*."""

    ALL_CPUS = -1


class NodeGetMemoryStatsAllCells(IntEnum):
    """virNodeGetMemoryStatsAllCells: VIR_NODE_MEMORY_STATS_*."""

    ALL_CELLS = -1


class CPUCompareResult(IntEnum):
    """virCPUCompareResult: VIR_CPU_COMPARE_*."""

    ERROR = -1
    INCOMPATIBLE = 0
    IDENTICAL = 1
    SUPERSET = 2


class NodeAllocPagesFlags(IntFlag):
    """virNodeAllocPagesFlags: VIR_NODE_ALLOC_PAGES_*."""

    ADD = 0
    SET = 1 << 0
