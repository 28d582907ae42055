# SPDX-License-Identifier: LGPL-2.1-or-later
"""A network as its document tells of it: read, checked, completed, formatted. Network drivers keep one a network."""

from __future__ import annotations

from virtproxy.documents.domain.foreign import joined, stripped, uri_of
from virtproxy.documents.form import arrange, is_empty, read, read_uuid, uuid_text, write, xml_error
from virtproxy.documents.markup import Element
from virtproxy.documents.markup import parse as parse_markup
from virtproxy.documents.network.form import NETWORK
from virtproxy.documents.network.rules import BRIDGED, DOMAIN, check_read, check_whole
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain


class NetworkDocument:
    """One network's definition. `name` and `uuid` (16 bytes) never change."""

    def __init__(self, root: Element, name: str, uuid: bytes) -> None:
        self.root = root
        self.name = name
        self.uuid = uuid

    def copy(self) -> NetworkDocument:
        """An independent copy."""
        return NetworkDocument(self.root.copy(), self.name, self.uuid)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return write(self.root, NETWORK)

    @property
    def mode(self) -> str:
        """How guests get out: "nat", "route", "open", "bridge", ...; "none" for an isolated network."""
        forward = self.root.find("forward")
        return "none" if forward is None else forward.attributes.get("mode", "nat")

    @property
    def bridge(self) -> str | None:
        """The name of the bridge, if it has been given one."""
        bridge = self.root.find("bridge")
        return None if bridge is None else bridge.attributes.get("name")

    @property
    def addresses(self) -> list[Element]:
        """The `ip` elements."""
        return [child for child in self.root.elements if child.name == "ip"]

    def text(self, name: str) -> str | None:
        """The title or the description."""
        found = self.root.find(name)
        return None if found is None else found.text

    def set_text(self, name: str, text: str | None) -> None:
        """Put a title or a description in place of the one there is; None or nothing: take it out."""
        self.root.remove(name)
        if text:
            self.root.children.append(Element(name, text=text))
        self.root = arrange(self.root, NETWORK)

    def metadata(self, uri: str) -> str | None:
        """The metadata element of namespace `uri`, without its prefix, if there is one."""
        found = self._metadata(uri)
        return None if found is None else stripped(found)

    def set_metadata(self, uri: str, key: str, text: str | None) -> None:
        """Put `text` in place of the metadata of namespace `uri`, with the prefix `key`; None: take it out."""
        element = None if text is None else joined(parse_markup(text), key, uri)
        old, holder = self._metadata(uri), self.root.child("metadata")
        holder.children = [child for child in holder.elements if child is not old]
        holder.children += [] if element is None else [element]
        if not holder.children:
            self.root.remove("metadata")
        self.root = arrange(self.root, NETWORK)

    def _metadata(self, uri: str) -> Element | None:
        holder = self.root.find("metadata")
        children = [] if holder is None else holder.elements
        return next((child for child in children if uri_of(child, (self.root,)) == uri), None)


def parse(text: str) -> NetworkDocument:
    """Read a document; one without a UUID gets a random one. VirtError, in libvirt's words, if it is none."""
    root = read(text, "network", DOMAIN)
    name = (root.find("name") or Element("name")).text
    if not name:
        raise VirtError.of(ErrorCode.NO_NAME, domain=DOMAIN)
    if "/" in name:
        raise VirtError.of(ErrorCode.XML_DETAIL, "invalid char in name: /", domain=ErrorDomain.XML)
    uuid = read_uuid(root, DOMAIN)
    root.child("uuid").set_text(uuid_text(uuid))
    title = root.find("title")
    if title is not None and "\n" in title.text:
        raise xml_error("Network title can't contain newlines", DOMAIN)
    check_read(root, name)
    for notes in (child for child in root.elements if child.name == "metadata"):
        # What has no namespace belongs to nobody.
        notes.children = [child for child in notes.elements if ":" in child.name or "xmlns" in child.attributes]
    arranged = arrange(root, NETWORK)
    _complete(arranged)
    check_whole(arranged, name)
    return NetworkDocument(arrange(arranged, NETWORK), name, uuid)


def complete(document: NetworkDocument) -> NetworkDocument:
    """The document with what follows from a change filled in."""
    _complete(document.root)
    return NetworkDocument(arrange(document.root, NETWORK), document.name, document.uuid)


def _complete(root: Element) -> None:
    """Fill in what follows from the rest."""
    forward = root.find("forward")
    mode = "none" if forward is None else _complete_forward(forward)
    if mode == "none":
        root.remove("forward")
    if mode in BRIDGED:
        _complete_bridge(root.child("bridge"))
    _complete_vlan(root.find("vlan"))
    for portgroup in (child for child in root.elements if child.name == "portgroup"):
        _complete_vlan(portgroup.find("vlan"))
        # Guests' ports are isolated by the network or by themselves.
        portgroup.remove("port")
    for expiring in _leases(root):
        if expiring.attributes.get("expiry") == "0":
            expiring.attributes.pop("unit", None)
        else:
            expiring.attributes.setdefault("unit", "minutes")
    domain = root.find("domain")
    if domain is not None and not domain.attributes.get("name"):
        root.remove("domain")


def _complete_forward(forward: Element) -> str:
    mode = forward.attributes.setdefault("mode", "nat")
    if mode == "hostdev":
        forward.attributes.setdefault("managed", "no")
    else:
        forward.attributes.pop("managed", None)
    dev = forward.attributes.get("dev")
    interfaces = [child for child in forward.elements if child.name == "interface"]
    if dev and not interfaces:
        forward.children.append(Element("interface", {"dev": dev}))
    elif interfaces:
        forward.attributes["dev"] = interfaces[0].attributes["dev"]
    addresses = [child for child in forward.elements if child.name == "address"]
    for address in addresses:
        address.attributes.update(_pci(address))
    if addresses:
        forward.remove("pf")
    nat = forward.find("nat")
    if nat is not None and is_empty(nat):
        forward.remove("nat")
    ordered = ("dev", "mode", "managed")
    rest = {name: value for name, value in forward.attributes.items() if name not in ordered}
    known = {name: forward.attributes[name] for name in ordered if name in forward.attributes}
    forward.attributes = {**known, **rest}
    return mode


def _pci(address: Element) -> dict[str, str]:
    """A PCI address with all its digits."""
    widths = {"domain": 4, "bus": 2, "slot": 2, "function": 1}
    texts = {name: address.attributes.get(name, "0") for name in widths}
    values = {name: int(text, 16 if text[:2] in ("0x", "0X") else 10) for name, text in texts.items()}
    return {name: f"0x{value:0{widths[name]}x}" for name, value in values.items()}


def _complete_bridge(bridge: Element) -> None:
    given = bridge.attributes
    stp = "off" if given.get("stp") == "off" else "on"
    bridge.attributes = {
        **{name: given[name] for name in ("name", "zone") if name in given},
        "stp": stp,
        "delay": str(int(given.get("delay", "0"))),
        **{name: value for name, value in given.items() if name not in ("name", "zone", "stp", "delay")},
    }


def _complete_vlan(vlan: Element | None) -> None:
    if vlan is not None:
        if len(vlan.elements) > 1:
            vlan.attributes["trunk"] = "yes"
        elif vlan.attributes.get("trunk") == "no":
            del vlan.attributes["trunk"]


def _leases(root: Element) -> list[Element]:
    found = []
    for ip in (child for child in root.elements if child.name == "ip"):
        dhcp = ip.find("dhcp")
        holders = [] if dhcp is None else dhcp.elements
        found += [inner for holder in holders for inner in holder.elements if inner.name == "lease"]
    return found
