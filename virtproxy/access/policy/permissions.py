# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's permissions by kind of object, and the patterns that a policy writes for several of them.

A permission is written "domain:start". The names are those of libvirt's access rules, which the declarations of the
procedures use (`tests/access/policy/test_permissions.py` compares them). Nothing here knows who has which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Kind and permission: ("domain", "start").
Permission = tuple[str, str]

_NAMES = {
    "connect": "getattr read write search_domains search_networks search_storage_pools search_node_devices"
    " search_interfaces search_secrets search_nwfilters search_nwfilter_bindings detect_storage_pools pm_control"
    " interface_transaction",
    "domain": "getattr read write read_secure start stop reset save delete migrate checkpoint snapshot suspend"
    " hibernate core_dump pm_control init_control inject_nmi send_input send_signal fs_trim fs_freeze block_read"
    " block_write mem_read open_graphics open_device screenshot open_namespace set_time set_password",
    "interface": "getattr read write save delete start stop",
    "network": "getattr read write save delete start stop search_ports",
    "network_port": "getattr read write create delete",
    "node_device": "getattr read write start stop detach delete save",
    "nwfilter": "getattr read write save delete",
    "nwfilter_binding": "getattr read create delete",
    "secret": "getattr read write read_secure save delete",
    "storage_pool": "getattr read write save delete start stop refresh search_storage_vols format",
    "storage_vol": "getattr read create delete format resize data_read data_write",
}

PERMISSIONS: Mapping[str, tuple[str, ...]] = {kind: tuple(names.split()) for kind, names in _NAMES.items()}
KINDS = tuple(PERMISSIONS)
ALL = frozenset((kind, name) for kind, names in PERMISSIONS.items() for name in names)
SPELLED = tuple(f"{kind}:{name}" for kind, names in PERMISSIONS.items() for name in names)

# What it takes on the connection itself to get as far as an object; libvirt grants it to whoever may read at all.
REACH = frozenset(("connect", name) for name in PERMISSIONS["connect"] if re.match("getattr|read|search_", name))


def expand(pattern: str) -> frozenset[Permission]:
    """The permissions that "domain:start", "domain:*" or "*:getattr" names; empty if it names none."""
    kind, colon, name = pattern.partition(":")
    if not colon:
        return frozenset()
    return frozenset(pair for pair in ALL if kind in ("*", pair[0]) and name in ("*", pair[1]))


def spell(permission: Permission) -> str:
    """As a policy writes it."""
    return f"{permission[0]}:{permission[1]}"
