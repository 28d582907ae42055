# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rules for networks: what a guest's interface joins, and what network and host interface documents take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtproxy.access.claims.devices import address
from virtproxy.access.claims.element import Element, Rule, if_equal, path_at, word_at
from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.paths import lexical

# Names that libvirt gives itself, and drops from a document.
_GIVEN = re.compile(r"(vnet|vif|macvtap|macvlan)[0-9]*")


def _source(element: Element) -> Iterator[Claim]:
    kind = element.parent.get("type") if element.parent else ""
    for attribute, claimed in (("network", "network"), ("bridge", "bridge")):
        yield from word_at(attribute, claimed)(element)
    yield from word_at("portgroup", "vlan", "portgroup:")(element)
    device = element.get("dev")
    if device and (kind == "vdpa" or "/" in device):
        yield element.claim("host_device", f"char:{lexical(device)}", f"char:{device}", "dev")
    elif device:
        yield element.claim("host_interface", device, attribute="dev")
    yield from path_at("path", "unix_socket")(element)
    yield from word_at("name", "network", "internal:")(element)
    yield from word_at("switchid", "network", "vds:")(element)
    for child in element.named("address"):
        yield from address(child)
    yield from _endpoint(element, "listen" if kind == "server" else "connect")
    for local in element.named("local"):
        yield from _endpoint(local, "listen")
    for child in element.named("ip"):
        yield child.claim("host_interface", f"ip:{child.get('address')}", attribute="address")
    for child in element.named("route"):
        yield child.claim("host_interface", f"route:{child.get('address')}", attribute="address")


def _endpoint(element: Element, kind: str) -> Iterator[Claim]:
    if element.get("address") or element.get("port"):
        yield element.claim(kind, f"{element.get('address') or '*'}:{element.get('port') or '*'}", attribute="address")


def _target(element: Element) -> Iterator[Claim]:
    device = element.get("dev")
    if device and not _GIVEN.fullmatch(device):
        yield element.claim("host_interface", f"tap:{device}", attribute="dev")


def _user(element: Element) -> Iterator[Claim]:
    # A guest on the user network reaches what the host itself reaches.
    if element.get("type") == "user":
        yield element.claim("host_interface", "user", attribute="type")


def _forwarded_ports(element: Element) -> Iterator[Claim]:
    where = element.get("address") or "*"
    if element.get("dev"):
        yield element.claim("host_interface", element.get("dev"), attribute="dev")
    ports = [child.get("start") for child in element.named("range") if child.get("exclude") != "yes"]
    for port in ports or ["*"]:
        yield element.claim("listen", f"{where}:{port}")


def _host_address(element: Element) -> Iterator[Claim]:
    if element.get("address"):
        length = element.get("prefix") or element.get("netmask")
        value = f"ip:{element.get('address')}" + (f"/{length}" if length else "")
        yield element.claim("host_interface", value, attribute="address")


def _device_address(element: Element) -> Iterator[Claim]:
    yield from address(element)


def _plug(element: Element) -> Iterator[Claim]:
    yield from word_at("bridge", "bridge")(element)
    yield from word_at("dev", "host_interface")(element)


def _own_name(element: Element) -> Iterator[Claim]:
    # Without a name it is libvirt that chooses one.
    if element.get("name"):
        yield element.claim("host_interface", element.get("name"), attribute="name")


def rules() -> Iterator[tuple[str, str, tuple[Rule, ...]]]:
    """Yield (parent, element, rules); "*" is any parent."""
    yield "interface", "source", (_source,)
    yield "interface", "target", (_target,)
    yield (
        "devices",
        "interface",
        (_user, if_equal("trustGuestRxFilters", ("yes",), "isolation", "trustGuestRxFilters:")),
    )
    yield "interface", "script", (path_at("path", "script"),)
    yield "interface", "downscript", (path_at("path", "script"),)
    yield "interface", "portForward", (_forwarded_ports,)
    yield "vlan", "tag", (word_at("id", "vlan"),)
    yield "*", "vlan", (if_equal("trunk", ("yes",), "vlan", "trunk:"),)
    yield (
        "virtualport",
        "parameters",
        (
            word_at("profileid", "vlan", "profile:"),
            word_at("managerid", "vlan", "vsi:"),
        ),
    )
    # Networks
    yield "network", "bridge", (word_at("name", "bridge"), word_at("zone", "isolation", "zone:"))
    yield "network", "forward", (word_at("dev", "host_interface"),)
    yield "forward", "interface", (word_at("dev", "host_interface"),)
    yield "forward", "pf", (word_at("dev", "host_interface"),)
    yield "forward", "address", (_device_address,)
    yield "network", "ip", (_host_address,)
    yield "network", "route", (word_at("address", "host_interface", "route:"),)
    yield "dns", "forwarder", (word_at("addr", "connect"),)
    yield "ip", "tftp", (path_at("root", "shared_directory"),)
    for name in ("network", "portgroup", "networkport", "rxfilters"):
        yield "*", name, (if_equal("trustGuestRxFilters", ("yes",), "isolation", "trustGuestRxFilters:"),)
    # A port of a network, and the binding of a filter to one
    yield "networkport", "plug", (_plug,)
    yield "plug", "address", (_device_address,)
    yield "filterbinding", "portdev", (word_at("name", "host_interface"),)
    yield "filterbinding", "linkdev", (word_at("name", "host_interface"),)
    # Interfaces of the host
    for parent in ("/", "bridge", "bond", "vlan"):
        yield parent, "interface", (_own_name,)
    yield "protocol", "ip", (_host_address,)
