# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much a list reply can hold, by procedure: the argument that asks, the limit and its name in errors.

`lists` reads this. The limits themselves are enforced by the codec; the names are only for the texts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure


class ListLimit(NamedTuple):
    """The argument that says how many results are wanted, and the most there can be."""

    field: str
    maximum: int
    name: str


LIST_LIMITS: dict[Procedure[Any, Any], ListLimit] = {
    procedure: ListLimit(field, maximum, name)
    for procedure, field, maximum, name in (
        (remote.CONNECT_LIST_DEFINED_DOMAINS, "maxnames", 16384, "REMOTE_DOMAIN_LIST_MAX"),
        (remote.CONNECT_LIST_DEFINED_NETWORKS, "maxnames", 16384, "REMOTE_NETWORK_LIST_MAX"),
        (remote.CONNECT_LIST_DOMAINS, "maxids", 16384, "REMOTE_DOMAIN_LIST_MAX"),
        (remote.CONNECT_LIST_NETWORKS, "maxnames", 16384, "REMOTE_NETWORK_LIST_MAX"),
        (remote.DOMAIN_GET_SCHEDULER_PARAMETERS, "nparams", 16, "REMOTE_DOMAIN_SCHEDULER_PARAMETERS_MAX"),
        (remote.CONNECT_LIST_STORAGE_POOLS, "maxnames", 16384, "REMOTE_STORAGE_POOL_LIST_MAX"),
        (remote.CONNECT_LIST_DEFINED_STORAGE_POOLS, "maxnames", 16384, "REMOTE_STORAGE_POOL_LIST_MAX"),
        (remote.STORAGE_POOL_LIST_VOLUMES, "maxnames", 16384, "REMOTE_STORAGE_VOL_LIST_MAX"),
        (remote.NODE_GET_CELLS_FREE_MEMORY, "maxcells", 1024, "REMOTE_NODE_MAX_CELLS"),
        (remote.NODE_LIST_DEVICES, "maxnames", 65536, "REMOTE_NODE_DEVICE_LIST_MAX"),
        (remote.NODE_DEVICE_LIST_CAPS, "maxnames", 65536, "REMOTE_NODE_DEVICE_CAPS_LIST_MAX"),
        (remote.CONNECT_LIST_INTERFACES, "maxnames", 16384, "REMOTE_INTERFACE_LIST_MAX"),
        (remote.CONNECT_LIST_DEFINED_INTERFACES, "maxnames", 16384, "REMOTE_INTERFACE_LIST_MAX"),
        (remote.CONNECT_LIST_SECRETS, "maxuuids", 16384, "REMOTE_SECRET_LIST_MAX"),
        (remote.CONNECT_LIST_NWFILTERS, "maxnames", 16384, "REMOTE_NWFILTER_LIST_MAX"),
        (remote.DOMAIN_SNAPSHOT_LIST_NAMES, "maxnames", 16384, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX"),
        (remote.DOMAIN_GET_MEMORY_PARAMETERS, "nparams", 16, "REMOTE_DOMAIN_MEMORY_PARAMETERS_MAX"),
        (remote.DOMAIN_GET_BLKIO_PARAMETERS, "nparams", 16, "REMOTE_DOMAIN_BLKIO_PARAMETERS_MAX"),
        (remote.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, "nparams", 16, "REMOTE_DOMAIN_SCHEDULER_PARAMETERS_MAX"),
        (remote.NODE_GET_CPU_STATS, "nparams", 16, "REMOTE_NODE_CPU_STATS_MAX"),
        (remote.NODE_GET_MEMORY_STATS, "nparams", 16, "REMOTE_NODE_MEMORY_STATS_MAX"),
        (remote.DOMAIN_BLOCK_STATS_FLAGS, "nparams", 16, "REMOTE_DOMAIN_BLOCK_STATS_PARAMETERS_MAX"),
        (remote.DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES, "maxnames", 16384, "REMOTE_DOMAIN_SNAPSHOT_LIST_MAX"),
        (remote.DOMAIN_GET_BLOCK_IO_TUNE, "nparams", 32, "REMOTE_DOMAIN_BLOCK_IO_TUNE_PARAMETERS_MAX"),
        (remote.DOMAIN_GET_NUMA_PARAMETERS, "nparams", 16, "REMOTE_DOMAIN_NUMA_PARAMETERS_MAX"),
        (remote.DOMAIN_GET_INTERFACE_PARAMETERS, "nparams", 16, "REMOTE_DOMAIN_INTERFACE_PARAMETERS_MAX"),
        (remote.DOMAIN_GET_CPU_STATS, "nparams", 2048, "REMOTE_DOMAIN_GET_CPU_STATS_MAX"),
        (remote.NODE_GET_MEMORY_PARAMETERS, "nparams", 64, "REMOTE_NODE_MEMORY_PARAMETERS_MAX"),
        (remote.NODE_GET_SEV_INFO, "nparams", 64, "REMOTE_NODE_SEV_INFO_MAX"),
        (remote.NETWORK_PORT_GET_PARAMETERS, "nparams", 16, "REMOTE_NETWORK_PORT_PARAMETERS_MAX"),
    )
}
