# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a network filter: rules, and other filters that it takes in. Filter drivers keep one a filter.

What a rule says of a packet is kept as it stands: only whoever makes tables of it can tell whether it can be.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_network

from virtproxy.documents.form import Form, any_text, arrange, read, read_uuid, unsupported, uuid_text, write
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError, internal
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DOMAIN = ErrorDomain.NWFILTER
# The chains by the prefix of their names, and the priority that each has.
CHAINS = {"mac": -800, "vlan": -750, "stp": -810, "arp": -500, "rarp": -400, "ipv4": -700, "ipv6": -600}
PRIORITY_MAX = 1000
RULE_PRIORITY = 500
ACTIONS = ("drop", "accept", "reject", "return", "continue")
DIRECTIONS = ("in", "out", "inout")
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)
_PARAMETER = Form("parameter", {"name": any_text, "value": any_text}, many=True)
FILTERREF = Form("filterref", {"filter": any_text}, (_PARAMETER,), many=True, bare=True)
_RULE = dict.fromkeys(("action", "direction", "priority", "statematch"), any_text)
NWFILTER = Form("filter", {"name": any_text, "chain": any_text, "priority": any_text}, (Form("uuid"),), hollow=True)


class NwfilterDocument:
    """One filter's definition. `uuid` has 16 bytes."""

    def __init__(self, root: Element, name: str, uuid: bytes) -> None:
        self.root = root
        self.name = name
        self.uuid = uuid

    def copy(self) -> NwfilterDocument:
        """An independent copy."""
        return NwfilterDocument(self.root.copy(), self.name, self.uuid)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return write(self.root, NWFILTER)

    @property
    def references(self) -> list[str]:
        """The names of the filters that it takes in."""
        return [one.attributes["filter"] for one in self.root.elements if one.name == "filterref"]


def parse(text: str) -> NwfilterDocument:
    """Read a document; one without a UUID gets a random one. VirtError, in libvirt's words, if it is none."""
    root = read(text, "filter", DOMAIN)
    name = root.attributes.get("name")
    if name is None:
        raise internal("filter has no name", DOMAIN)
    chain = root.attributes.setdefault("chain", "root")
    priority = _chain_priority(root, chain)
    uuid = read_uuid(root, DOMAIN, ErrorCode.XML_ERROR)
    root.child("uuid").set_text(uuid_text(uuid))
    root.attributes.pop("priority", None)
    if priority:
        root.attributes["priority"] = str(priority)
    arranged = arrange(root, NWFILTER)
    arranged.children = [_entry(child) for child in arranged.elements]
    return NwfilterDocument(arranged, name, uuid)


def _chain_priority(root: Element, chain: str) -> int:
    known = [prefix for prefix in CHAINS if chain == prefix or chain.startswith(f"{prefix}-")]
    if chain != "root" and not known:
        detail = f"Invalid chain name '{chain}'. Please use a chain name called 'root' or any of the following prefixes"
        raise _invalid(f"{detail}: {', '.join(CHAINS)}")
    text = root.attributes.get("priority")
    if text is None:
        return CHAINS[known[0]] if known else 0
    if not _NUMBER.fullmatch(text):
        raise _invalid(f"Could not parse chain priority '{text}'")
    if abs(int(text)) > PRIORITY_MAX:
        raise _invalid(f"Priority '{int(text)}' is outside valid range of [-{PRIORITY_MAX},{PRIORITY_MAX}]")
    return int(text)


def _entry(element: Element) -> Element:
    if element.name == "filterref":
        if "filter" not in element.attributes:
            raise internal("rule node requires action attribute", DOMAIN)
        return arrange(element, FILTERREF)
    return _rule(element) if element.name == "rule" else element


def _rule(element: Element) -> Element:
    for name, words in (("action", ACTIONS), ("direction", DIRECTIONS)):
        word = element.attributes.get(name)
        if word is None:
            raise internal(f"rule node requires {name} attribute", DOMAIN)
        if word not in words:
            raise unsupported(f"unknown rule {name} attribute value", DOMAIN)
    priority = element.attributes.get("priority", "")
    usable = _NUMBER.fullmatch(priority) and abs(int(priority)) <= PRIORITY_MAX
    element.attributes["priority"] = str(int(priority)) if usable else str(RULE_PRIORITY)
    if element.attributes.get("statematch") in ("0", "false"):
        element.attributes["statematch"] = "false"
    else:
        element.attributes.pop("statematch", None)
    for packet in element.elements:
        packet.attributes = {name: _value(name, value) for name, value in packet.attributes.items()}
    return arrange(element, Form("rule", _RULE, many=True))


def _value(name: str, text: str) -> str:
    """A value of a rule in libvirt's own way of writing it."""
    if "mac" in name and re.fullmatch(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text):
        return ":".join(f"{int(part, 16):02x}" for part in text.split(":"))
    if name.endswith("ipmask") and text.count(".") == 3:
        try:
            return str(ip_network(f"0.0.0.0/{IPv4Address(text)}").prefixlen)
        except ValueError:
            return text
    return text


def _invalid(detail: str) -> VirtError:
    return VirtError.of(ErrorCode.INVALID_ARG, detail, domain=DOMAIN)
