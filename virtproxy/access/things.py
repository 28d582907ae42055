# SPDX-License-Identifier: LGPL-2.1-or-later
"""Describes things for whoever decides: from what a daemon says of them, or from the document that will make them.

Only answers of daemons and documents come here, never a client's reference: the directory and the access stage see
to that. Nothing here decides or asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from virtproxy.access import details
from virtproxy.access.decision import Thing
from virtproxy.access.naming import Naming
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorDomain

# A hypervisor driver's own name, and the domain of its errors. The other daemons' drivers are called as they are.
_HYPERVISORS: Mapping[str, tuple[str, ErrorDomain]] = {
    "qemu": ("QEMU", ErrorDomain.QEMU),
    "xen": ("xenlight", ErrorDomain.LIBXL),
    "lxc": ("LXC", ErrorDomain.LXC),
    "bhyve": ("bhyve", ErrorDomain.BHYVE),
    "vbox": ("VBOX", ErrorDomain.VBOX),
    "ch": ("CH", ErrorDomain.CH),
    "vz": ("vz", ErrorDomain.PARALLELS),
    "test": ("Test", ErrorDomain.TEST),
}


@dataclass(frozen=True, slots=True)
class Place:
    """The daemon that has a thing: the `driver`'s name in access rules, and the URI in the one form that is used here.

    `domain_errors` is the domain of its errors about guests.
    """

    driver: str
    uri: str
    domain_errors: ErrorDomain


def place_of(driver: str, uri: str) -> Place:
    """The place that a URI of `driver` leads to: its parameters, which a client chooses, do not make another one."""
    name, domain = _HYPERVISORS.get(driver, (driver, ErrorDomain.DOMAIN))
    path = urlsplit(uri).path
    return Place(name, f"{driver}://{path if len(path) > 1 else '/system'}", domain)


def connection(place: Place) -> Thing:
    """The connection itself."""
    return Thing("connect", place.driver, place.uri)


def uuid_text(uuid: bytes) -> str:
    """A UUID in its usual form."""
    return str(UUID(bytes=uuid))


def described(place: Place, reference: Any, within: Thing | None = None) -> Thing | None:
    """The thing that a daemon's own reference names; None for a reference of no kind that rules know.

    `within` is the pool of a volume, whose UUID its reference lacks; a port's network is in its reference.
    """
    describe = _DESCRIBE.get(type(reference))
    return None if describe is None else describe(place, reference, within)


def _domain(place: Place, ref: remote.NonnullDomain, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    return Thing("domain", place.driver, place.uri, ref.name, uuid, details.domain(ref.name, uuid))


def _network(place: Place, ref: remote.NonnullNetwork, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    return Thing("network", place.driver, place.uri, ref.name, uuid, details.network(ref.name, uuid))


def _port(place: Place, ref: remote.NonnullNetworkPort, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    known = details.network_port(ref.net.name, uuid_text(ref.net.uuid), uuid)
    return Thing("network_port", place.driver, place.uri, None, uuid, known)


def _pool(place: Place, ref: remote.NonnullStoragePool, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    return Thing("storage_pool", place.driver, place.uri, ref.name, uuid, details.storage_pool(ref.name, uuid))


def _volume(place: Place, ref: remote.NonnullStorageVol, within: Thing | None) -> Thing:
    pool_uuid = within.uuid if within is not None and within.uuid is not None else ""
    known = details.storage_vol(ref.pool, pool_uuid, ref.name, ref.key)
    return Thing("storage_vol", place.driver, place.uri, ref.name, None, known)


def _secret(place: Place, ref: remote.NonnullSecret, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    known = details.secret(uuid, ref.usage_type, ref.usage_id)
    return Thing("secret", place.driver, place.uri, ref.usage_id or None, uuid, known)


def _nwfilter(place: Place, ref: remote.NonnullNwfilter, within: Thing | None) -> Thing:
    uuid = uuid_text(ref.uuid)
    return Thing("nwfilter", place.driver, place.uri, ref.name, uuid, details.nwfilter(ref.name, uuid))


def _binding(place: Place, ref: remote.NonnullNwfilterBinding, within: Thing | None) -> Thing:
    known = details.nwfilter_binding(ref.portdev, None, ref.filtername)
    return Thing("nwfilter_binding", place.driver, place.uri, ref.portdev, None, known)


def _interface(place: Place, ref: remote.NonnullInterface, within: Thing | None) -> Thing:
    return Thing("interface", place.driver, place.uri, ref.name, None, details.interface(ref.name, ref.mac))


def _node_device(place: Place, ref: remote.NonnullNodeDevice, within: Thing | None) -> Thing:
    return Thing("node_device", place.driver, place.uri, ref.name, None, details.node_device(ref.name))


_DESCRIBE: Mapping[type, Callable[[Place, Any, Thing | None], Thing]] = {
    remote.NonnullDomain: _domain,
    remote.NonnullDomainSnapshot: lambda place, ref, within: _domain(place, ref.dom, within),
    remote.NonnullDomainCheckpoint: lambda place, ref, within: _domain(place, ref.dom, within),
    remote.NonnullNetwork: _network,
    remote.NonnullNetworkPort: _port,
    remote.NonnullStoragePool: _pool,
    remote.NonnullStorageVol: _volume,
    remote.NonnullSecret: _secret,
    remote.NonnullNwfilter: _nwfilter,
    remote.NonnullNwfilterBinding: _binding,
    remote.NonnullInterface: _interface,
    remote.NonnullNodeDevice: _node_device,
}


# What the details call the name and the UUID of each kind.
_CALLED: Mapping[str, tuple[str, str]] = {
    "domain": ("domain_name", "domain_uuid"),
    "network": ("network_name", "network_uuid"),
    "network_port": ("", "port_uuid"),
    "node_device": ("node_device_name", ""),
    "nwfilter": ("nwfilter_name", "nwfilter_uuid"),
    "nwfilter_binding": ("nwfilter_binding_portdev", ""),
    "secret": ("", "secret_uuid"),
    "storage_pool": ("pool_name", "pool_uuid"),
    "storage_vol": ("vol_name", ""),
    "interface": ("interface_name", ""),
}


def to_be(place: Place, kind: str, naming: Naming, within: Thing | None, owner: str | None) -> Thing:
    """A thing that does not exist yet, as its document names it; what the document leaves open is None."""
    called = zip(_CALLED[kind], (naming.name, naming.uuid), strict=True)
    said = tuple((key, value) for key, value in called if key and value is not None)
    around = within.details if within is not None else ()
    return Thing(kind, place.driver, place.uri, naming.name, naming.uuid, (*around, *said, *naming.details), owner)


def identity_of(thing: Thing) -> str | None:
    """What tells a thing from others of its kind at its place, for as long as it exists; None if it is not known.

    Its UUID; the names of pool and volume; the name of what has nothing else.
    """
    if thing.kind == "storage_vol":
        pool = dict(thing.details).get("pool_name")
        return None if pool is None or thing.name is None else f"{pool}/{thing.name}"
    return thing.uuid or thing.name
