# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a daemon is asked what a thing is, what it answers where there is none, and how it tells of changes. Facts only.

The directory reads it. A reference that is looked up here carries no name but what a client said, which decides
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from virtproxy.access.decision import Thing
from virtproxy.access.objects import Ref
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure

_Question = Callable[[Ref], tuple[Procedure[Any, Any], Any]]
_QUESTIONS: Mapping[tuple[str, str], _Question] = {
    ("domain", "uuid"): lambda ref: (remote.DOMAIN_LOOKUP_BY_UUID, remote.DomainLookupByUuidArgs(uuid=ref.value)),
    ("domain", "name"): lambda ref: (remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name=ref.value)),
    ("network", "uuid"): lambda ref: (remote.NETWORK_LOOKUP_BY_UUID, remote.NetworkLookupByUuidArgs(uuid=ref.value)),
    ("network", "name"): lambda ref: (remote.NETWORK_LOOKUP_BY_NAME, remote.NetworkLookupByNameArgs(name=ref.value)),
    ("storage_pool", "uuid"): lambda ref: (
        remote.STORAGE_POOL_LOOKUP_BY_UUID,
        remote.StoragePoolLookupByUuidArgs(uuid=ref.value),
    ),
    ("storage_pool", "name"): lambda ref: (
        remote.STORAGE_POOL_LOOKUP_BY_NAME,
        remote.StoragePoolLookupByNameArgs(name=ref.value),
    ),
    ("secret", "uuid"): lambda ref: (remote.SECRET_LOOKUP_BY_UUID, remote.SecretLookupByUuidArgs(uuid=ref.value)),
    ("nwfilter", "uuid"): lambda ref: (remote.NWFILTER_LOOKUP_BY_UUID, remote.NwfilterLookupByUuidArgs(uuid=ref.value)),
    ("nwfilter", "name"): lambda ref: (remote.NWFILTER_LOOKUP_BY_NAME, remote.NwfilterLookupByNameArgs(name=ref.value)),
    ("nwfilter_binding", "name"): lambda ref: (
        remote.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV,
        remote.NwfilterBindingLookupByPortDevArgs(name=ref.value),
    ),
    ("interface", "name"): lambda ref: (
        remote.INTERFACE_LOOKUP_BY_NAME,
        remote.InterfaceLookupByNameArgs(name=ref.value),
    ),
    ("node_device", "name"): lambda ref: (
        remote.NODE_DEVICE_LOOKUP_BY_NAME,
        remote.NodeDeviceLookupByNameArgs(name=ref.value),
    ),
}
# What a daemon answers about a thing that is not there.
ABSENT: Mapping[str, ErrorCode] = {
    "domain": ErrorCode.NO_DOMAIN,
    "network": ErrorCode.NO_NETWORK,
    "network_port": ErrorCode.NO_NETWORK_PORT,
    "storage_pool": ErrorCode.NO_STORAGE_POOL,
    "storage_vol": ErrorCode.NO_STORAGE_VOL,
    "secret": ErrorCode.NO_SECRET,
    "nwfilter": ErrorCode.NO_NWFILTER,
    "nwfilter_binding": ErrorCode.NO_NWFILTER_BINDING,
    "interface": ErrorCode.NO_INTERFACE,
    "node_device": ErrorCode.NO_NODE_DEVICE,
}
# What is watched: kind, how to register, and the event that tells of things that come, go and change their names.
WATCHED: tuple[tuple[str, Procedure[Any, Any], Any, Procedure[Any, Any]], ...] = (
    (
        "domain",
        remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
        remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None),
        remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE,
    ),
    (
        "network",
        remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
        remote.ConnectNetworkEventRegisterAnyArgs(event_id=0, net=None),
        remote.NETWORK_EVENT_LIFECYCLE,
    ),
    (
        "storage_pool",
        remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
        remote.ConnectStoragePoolEventRegisterAnyArgs(event_id=0, pool=None),
        remote.STORAGE_POOL_EVENT_LIFECYCLE,
    ),
    (
        "node_device",
        remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
        remote.ConnectNodeDeviceEventRegisterAnyArgs(event_id=0, dev=None),
        remote.NODE_DEVICE_EVENT_LIFECYCLE,
    ),
    (
        "secret",
        remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
        remote.ConnectSecretEventRegisterAnyArgs(event_id=0, secret=None),
        remote.SECRET_EVENT_LIFECYCLE,
    ),
)
# Events after which a thing is still there under its name: starts, suspends, resumes and the like, by their numbers.
STAYS: Mapping[str, frozenset[int]] = {
    "domain": frozenset({2, 3, 4, 6, 7}),
    "network": frozenset({2}),
    "storage_pool": frozenset({2, 5}),
}
EVENT_KINDS = {(event.program.number, event.number): kind for kind, _, _, event in WATCHED}


def question(ref: Ref, within: Thing | None) -> tuple[Procedure[Any, Any], Any]:
    """The look-up that says what `ref` leads to; `within` is the pool or network that it is in."""
    if ref.kind == "storage_vol":
        pool = remote.NonnullStoragePool(name=_name(within), uuid=_uuid(within))
        return remote.STORAGE_VOL_LOOKUP_BY_NAME, remote.StorageVolLookupByNameArgs(pool=pool, name=ref.value)
    if ref.kind == "network_port":
        network = remote.NonnullNetwork(name=_name(within), uuid=_uuid(within))
        return remote.NETWORK_PORT_LOOKUP_BY_UUID, remote.NetworkPortLookupByUuidArgs(network=network, uuid=ref.value)
    return _QUESTIONS[ref.kind, ref.by](ref)


def _name(thing: Thing | None) -> str:
    return thing.name or "" if thing is not None else ""


def _uuid(thing: Thing | None) -> bytes:
    return UUID(thing.uuid).bytes if thing is not None and thing.uuid is not None else bytes(16)
