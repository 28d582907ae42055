# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks and storage pools of a scenario, as documents."""

from __future__ import annotations

from ipaddress import IPv4Interface

from virtproxy.documents.markup import escape
from virtproxy.drivers.test.plan import NetworkPlan, PoolPlan
from virtproxy.drivers.test.scenario_values import kib, made_up_uuid, named, tables
from virtproxy.toml.source import Source, Table, shown

# Where the pools of the usual host keep their volumes.
DEFAULT_POOL = {"default-pool": "/default-pool"}
_GIB = 1 << 20


def read_networks(source: Source, top: Table, seed: int) -> list[NetworkPlan]:
    """Each [[networks]]; mistakes are noted in the source."""
    found = []
    for table in tables(source, top, "networks", ("name", "count", "state", "autostart", "bridge", "address", "dhcp")):
        address = _address(table)
        bridge = f"<bridge name='{escape(table.text('bridge'))}'/>" if "bridge" in table else ""
        # libvirt has no NAT without an address.
        forward = "<forward mode='nat'/>" if address else ""
        for _, name in named(table):
            uuid = made_up_uuid(seed, "network", name)
            xml = f"<network><name>{escape(name)}</name><uuid>{uuid}</uuid>{forward}{bridge}{address}</network>"
            found.append(NetworkPlan(xml, is_active(table), table.flag("autostart")))
    return found


def _address(table: Table) -> str:
    if "address" not in table:
        if table.flag("dhcp"):
            table.error("dhcp", "dhcp needs an address")
        return ""
    try:
        interface = IPv4Interface(table.text("address"))
        first, last = interface.network[2], interface.network[-2]
    except (ValueError, IndexError):
        table.error("address", f'address must be one like "10.0.0.1/24", not {shown(table.raw("address"))}')
        return ""
    dhcp = f"<dhcp><range start='{first}' end='{last}'/></dhcp>" if table.flag("dhcp") else ""
    return f"<ip address='{interface.ip}' netmask='{interface.netmask}'>{dhcp}</ip>"


def read_pools(source: Source, top: Table, seed: int) -> tuple[list[PoolPlan], dict[str, str]]:
    """Each [[pools]], and where each keeps its volumes; mistakes are noted in the source."""
    found, places = [], {}
    for table in tables(source, top, "pools", ("name", "count", "state", "autostart", "path", "volumes")):
        volumes = [xml for one in tables(source, table, "volumes", _VOLUME) for xml in _volumes(one)]
        for _, name in named(table):
            path = table.text("path", f"/{name}")
            uuid = made_up_uuid(seed, "pool", name)
            xml = (
                f"<pool type='dir'><name>{escape(name)}</name><uuid>{uuid}</uuid>"
                f"<target><path>{escape(path)}</path></target></pool>"
            )
            places[name] = path
            found.append(PoolPlan(xml, tuple(volumes), is_active(table), table.flag("autostart")))
    return found, places


_VOLUME = ("name", "count", "size", "format")


def _volumes(table: Table) -> list[str]:
    size, kind = kib(table, "size", _GIB), table.text("format", "raw")
    return [volume_xml(name, size, kind) for _, name in named(table)]


def volume_xml(name: str, size: int, kind: str) -> str:
    """A volume's document; `size` in KiB."""
    return (
        f"<volume><name>{escape(name)}</name><capacity unit='KiB'>{size}</capacity>"
        f"<target><format type='{escape(kind)}'/></target></volume>"
    )


def is_active(table: Table) -> bool:
    """Whether a network or a pool is to be started."""
    state = table.text("state", "active")
    if state not in ("active", "inactive"):
        table.error("state", f'state must be "active" or "inactive", not {shown(state)}')
    return state == "active"
