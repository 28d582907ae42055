# SPDX-License-Identifier: LGPL-2.1-or-later
"""What libvirt's access rules know: kinds of things, their permissions, and the actions of polkit for them.

A declaration, read by the polkit decider, by policies and by the script that writes polkit's own files. Which
procedure needs which permission is each procedure's declaration, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing. `permissions`: whether everybody has each of them unless a rule of polkit says otherwise.

    `attributes` are the names of the details that polkit is told beside connect_driver, which it always is.
    """

    name: str
    attributes: tuple[str, ...]
    permissions: Mapping[str, bool]

    @property
    def polkit_type(self) -> str:
        """The kind's word in polkit's actions."""
        return self.name.replace("_", "-")

    def action(self, permission: str) -> str:
        """The polkit action of a permission; KeyError if the kind has no such permission."""
        if permission not in self.permissions:
            raise KeyError(permission)
        return f"org.libvirt.api.{self.polkit_type}.{permission.replace('_', '-')}"


def _kind(name: str, attributes: str, *, everybody: str, granted: str) -> Kind:
    permissions = dict.fromkeys(everybody.split(), True) | dict.fromkeys(granted.split(), False)
    return Kind(name, tuple(attributes.split()), MappingProxyType(permissions))


_ALL = (
    _kind(
        "connect",
        "",
        everybody="getattr read search_domains search_networks search_storage_pools search_node_devices "
        "search_interfaces search_secrets search_nwfilters search_nwfilter_bindings",
        granted="write detect_storage_pools pm_control interface_transaction",
    ),
    _kind(
        "domain",
        "domain_name domain_uuid",
        everybody="getattr read",
        granted="write read_secure start stop reset save delete migrate checkpoint snapshot suspend hibernate "
        "core_dump pm_control init_control inject_nmi send_input send_signal fs_trim fs_freeze block_read block_write "
        "mem_read open_graphics open_device screenshot open_namespace set_time set_password",
    ),
    _kind(
        "interface",
        "interface_name interface_macaddr",
        everybody="getattr read",
        granted="write save delete start stop",
    ),
    _kind(
        "network",
        "network_name network_uuid",
        everybody="getattr read",
        granted="write save delete start stop search_ports",
    ),
    _kind(
        "network_port",
        "network_name network_uuid port_uuid",
        everybody="getattr read",
        granted="write create delete",
    ),
    _kind(
        "node_device",
        "node_device_name",
        everybody="getattr read",
        granted="write start stop detach delete save",
    ),
    _kind("nwfilter", "nwfilter_name nwfilter_uuid", everybody="getattr read", granted="write save delete"),
    _kind(
        "nwfilter_binding",
        "nwfilter_binding_portdev nwfilter_binding_linkdev nwfilter_binding_filter",
        everybody="getattr read",
        granted="create delete",
    ),
    _kind(
        "secret",
        "secret_uuid secret_usage_volume secret_usage_ceph secret_usage_target secret_usage_name",
        everybody="getattr read",
        granted="write read_secure save delete",
    ),
    _kind(
        "storage_pool",
        "pool_name pool_uuid",
        everybody="getattr read",
        granted="write save delete start stop refresh search_storage_vols format",
    ),
    _kind(
        "storage_vol",
        "pool_name pool_uuid vol_name vol_key",
        everybody="getattr read",
        granted="create delete format resize data_read data_write",
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})

# The actions that a login asks for, and what each lets a user do unless a rule says otherwise: polkit's words.
LOGIN_ACTIONS: Mapping[str, str] = MappingProxyType(
    {"org.libvirt.unix.monitor": "yes", "org.libvirt.unix.manage": "auth_admin_keep"}
)
