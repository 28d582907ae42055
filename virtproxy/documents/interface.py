# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a host's interface: read, checked, formatted. Interface drivers keep one an interface."""

from __future__ import annotations

import re
from collections.abc import Iterable

from virtproxy.documents.form import (
    Form,
    any_text,
    arrange,
    lenient,
    one_of,
    read,
    required,
    whole,
    write,
    wrong_value,
    xml_error,
    yes_no,
)
from virtproxy.documents.markup import Element
from virtproxy.protocol.errors import ErrorDomain

DOMAIN = ErrorDomain.INTERFACE
TYPES = ("ethernet", "bridge", "bond", "vlan")
MODES = (
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
)  # fmt: skip
LINKS = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
_NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)


def integer(element: Element, name: str) -> str | None:
    """A number; VirtError if it is none."""
    text = element.attributes[name]
    if not _NUMBER.fullmatch(text):
        detail = f"Invalid value for attribute '{name}' in element '{element.name}': '{text}'."
        raise xml_error(f"{detail} Expected integer value", ErrorDomain.XML)
    return str(int(text))


_PROTOCOL = Form(
    "protocol",
    {"family": any_text},
    (
        Form("autoconf", bare=True),
        Form("dhcp", {"peerdns": yes_no}, bare=True),
        Form("ip", {"address": any_text, "prefix": integer}, many=True),
        Form("route", {"gateway": any_text}),
    ),
    many=True,
    hollow=True,
)
_BOND = (
    Form("miimon", {"freq": any_text, "downdelay": any_text, "updelay": any_text, "carrier": any_text}),
    Form("arpmon", {"interval": any_text, "target": any_text, "validate": any_text}),
)
_VLAN = Form("vlan", {"tag": any_text}, (Form("interface", {"name": any_text}),), hollow=True)


def _form(kinds: Iterable[Form], *, many: bool = False) -> Form:
    """The form of an interface that may be of these kinds."""
    parts = (
        Form("start", {"mode": any_text}),
        Form("mtu", {"size": whole}),
        _PROTOCOL,
        *kinds,
        Form("link", {"speed": whole, "state": one_of(*LINKS)}),
        Form("mac", {"address": any_text}),
    )
    return Form("interface", {"type": one_of(*TYPES), "name": any_text}, parts, many=many, hollow=True)


_PART_OF_BOND = _form((), many=True)
_BONDED = Form("bond", {"mode": any_text}, (*_BOND, _PART_OF_BOND), hollow=True)
_PART_OF_BRIDGE = _form((_BONDED, _VLAN), many=True)
_BRIDGE = Form("bridge", {"stp": lenient("on", "off"), "delay": any_text}, (_PART_OF_BRIDGE,), hollow=True)
INTERFACE = _form((_BRIDGE, _BONDED, _VLAN))


class InterfaceDocument:
    """One interface's definition."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.name = root.attributes["name"]

    def copy(self) -> InterfaceDocument:
        """An independent copy."""
        return InterfaceDocument(self.root.copy())

    def format(self) -> str:
        """The document as libvirt writes it."""
        return write(self.root, INTERFACE)

    @property
    def type(self) -> str:
        """One of TYPES."""
        return self.root.attributes["type"]

    @property
    def mac(self) -> str | None:
        """Its hardware address, as written."""
        mac = self.root.find("mac")
        return None if mac is None else mac.attributes.get("address")


def parse(text: str) -> InterfaceDocument:
    """Read a document. VirtError, in libvirt's words, if it is none."""
    root = read(text, "interface", DOMAIN)
    _check(root)
    return InterfaceDocument(arrange(root, INTERFACE))


def _check(root: Element, within: str = "") -> None:
    """Check one interface, and those that it is made of; `within`: the type of the one that it is part of."""
    kind = required(root, "type")
    if kind not in TYPES:
        raise wrong_value(root, "type")
    allowed = {"": TYPES, "bridge": ("ethernet", "bond", "vlan"), "bond": ("ethernet",)}[within]
    if kind not in allowed:
        raise xml_error(f"interface has unsupported type '{kind}'", DOMAIN)
    if "name" not in root.attributes:
        raise xml_error("interface has no name", DOMAIN)
    mode = (root.find("start") or Element("start")).attributes.get("mode")
    if mode not in (None, "onboot", "hotplug", "none"):
        raise xml_error(f"unknown interface startmode {mode}", DOMAIN)
    for protocol in _named(root, "protocol"):
        _check_protocol(protocol)
    if kind != "ethernet":
        inner = root.find(kind)
        if inner is None:
            raise xml_error(f"{kind} interface misses the {kind} element", DOMAIN)
        {"bridge": _check_bridge, "bond": _check_bond, "vlan": _check_vlan}[kind](inner)


def _check_protocol(protocol: Element) -> None:
    family = protocol.attributes.get("family")
    if family is None:
        raise xml_error("protocol misses the family attribute", DOMAIN)
    if family not in ("ipv4", "ipv6"):
        raise xml_error(f"unsupported protocol family '{family}'", DOMAIN)


def _check_bridge(bridge: Element) -> None:
    for inner in _named(bridge, "interface"):
        _check(inner, "bridge")


def _check_bond(bond: Element) -> None:
    mode = bond.attributes.get("mode")
    if mode is not None and mode not in MODES:
        raise xml_error(f"unknown bonding mode {mode}", DOMAIN)
    for inner in _named(bond, "interface"):
        _check(inner, "bond")
    miimon, arpmon = bond.find("miimon"), bond.find("arpmon")
    if miimon is not None:
        _check_miimon(miimon)
        # Only one of the two watches the link.
        bond.remove("arpmon")
    elif arpmon is not None:
        _check_arpmon(arpmon)


def _check_miimon(miimon: Element) -> None:
    given = miimon.attributes
    if not _NUMBER.fullmatch(given.get("freq", "")):
        raise xml_error("bond interface miimon freq missing or invalid", DOMAIN)
    for delay in ("downdelay", "updelay"):
        if not _NUMBER.fullmatch(given.get(delay, "0")):
            raise xml_error(f"bond interface miimon {delay} invalid", DOMAIN)
    if given.get("carrier", "ioctl") not in ("ioctl", "netif"):
        raise xml_error(f"unknown mii bonding carrier {given['carrier']}", DOMAIN)


def _check_arpmon(arpmon: Element) -> None:
    given = arpmon.attributes
    if not _NUMBER.fullmatch(given.get("interval", "")):
        raise xml_error("bond interface arpmon interval missing or invalid", DOMAIN)
    if "target" not in given:
        raise xml_error("bond interface arpmon target missing", DOMAIN)
    if given.get("validate", "none") not in ("none", "active", "backup", "all"):
        raise xml_error(f"unknown arp bonding validate {given['validate']}", DOMAIN)


def _check_vlan(vlan: Element) -> None:
    if "tag" not in vlan.attributes:
        raise xml_error("vlan interface misses the tag attribute", DOMAIN)
    if "name" not in (vlan.find("interface") or Element("interface")).attributes:
        raise xml_error("vlan interface misses name attribute", DOMAIN)


def _named(element: Element, name: str) -> list[Element]:
    return [child for child in element.elements if child.name == name]
