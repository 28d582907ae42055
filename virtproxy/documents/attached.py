# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is attached for a guest: the port of a network, and the binding of a filter to a guest's interface.

Drivers give these documents to each other; both name the guest that they are for.
"""

from __future__ import annotations

import re
from uuid import UUID

from virtproxy.documents.form import Form, any_text, arrange, one_of, read, write, wrong_value, xml_error, yes_no
from virtproxy.documents.markup import Element
from virtproxy.documents.network.form import BANDWIDTH, PCI, PORT, VIRTUALPORT, VLAN, lower
from virtproxy.documents.network.ports import check_bandwidth, check_virtualport, check_vlan
from virtproxy.documents.nwfilter import FILTERREF
from virtproxy.errors import internal
from virtproxy.protocol.errors import ErrorDomain

PLUGS = {
    "none": "", "network": "bridge name", "bridge": "bridge name", "direct": "link device name",
    "hostdev-pci": "PCI address",
}  # fmt: skip
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
_UUID = re.compile(r"\s*(?:[0-9A-Fa-f]{2}[- ]*){16}\s*")
_OWNER = Form("owner", children=(Form("name"), Form("uuid")))
_ADDRESS = Form("mac", {"address": lower})
_PLUG = Form(
    "plug",
    dict.fromkeys(("type", "bridge", "dev", "mode", "macTableManager", "managed"), any_text),
    (Form("driver", {"name": any_text}), PCI),
)
NETWORK_PORT = Form(
    "networkport",
    children=(
        Form("uuid"), _OWNER, Form("group"), _ADDRESS, VIRTUALPORT, BANDWIDTH, VLAN, PORT,
        Form("rxfilters", {"trustGuest": yes_no}), _PLUG,
    ),
)  # fmt: skip
BINDING = Form(
    "filterbinding",
    children=(_OWNER, Form("portdev", {"name": any_text}), Form("linkdev", {"name": any_text}), _ADDRESS, FILTERREF),
)
_MODES = one_of("vepa", "private", "bridge", "passthrough")


class AttachedDocument:
    """One port or binding. `uuid` is a port's own, 16 bytes; a binding is known by `port_device`."""

    def __init__(self, root: Element, form: Form) -> None:
        self.root = root
        self._form = form

    def copy(self) -> AttachedDocument:
        """An independent copy."""
        return AttachedDocument(self.root.copy(), self._form)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return write(self.root, self._form)

    @property
    def uuid(self) -> bytes:
        """The port's UUID; empty for a binding."""
        text = self.root.value("uuid")
        return UUID(text).bytes if text else b""

    @property
    def port_device(self) -> str:
        """The guest's network device on the host that a binding is for; empty for a port."""
        found = self.root.find("portdev")
        return "" if found is None else found.attributes["name"]

    @property
    def owner(self) -> tuple[str, bytes]:
        """The guest's name and UUID."""
        return self.root.value("owner/name") or "", UUID(self.root.value("owner/uuid") or "").bytes


def parse_port(text: str) -> AttachedDocument:
    """Read a network's port. VirtError, in libvirt's words, if it is none."""
    root = read(text, "networkport", ErrorDomain.NETWORK)
    if not root.value("uuid"):
        raise internal("network port has no uuid", ErrorDomain.NETWORK)
    root.child("uuid").set_text(_uuid(root.value("uuid") or "", ErrorDomain.NETWORK))
    _check_owner(root, "network port", ErrorDomain.NETWORK)
    _check_mac(root, "network port has no mac", ErrorDomain.NETWORK)
    for name, check in (("vlan", check_vlan), ("virtualport", check_virtualport)):
        found = root.find(name)
        if found is not None:
            check(found)
    bandwidth = root.find("bandwidth")
    if bandwidth is not None:
        check_bandwidth(bandwidth, floor=True)
    _check_plug(root.find("plug"))
    return AttachedDocument(arrange(root, NETWORK_PORT), NETWORK_PORT)


def parse_binding(text: str) -> AttachedDocument:
    """Read the binding of a filter. VirtError, in libvirt's words, if it is none."""
    domain = ErrorDomain.NWFILTER
    root = read(text, "filterbinding", domain)
    if not (root.find("portdev") or Element("portdev")).attributes.get("name"):
        raise internal("filter binding has no port dev name", domain)
    _check_owner(root, "filter binding", domain)
    _check_mac(root, "filter binding has no MAC address", domain)
    if "filter" not in (root.find("filterref") or Element("filterref")).attributes:
        raise internal("filter binding has no filter reference", domain)
    return AttachedDocument(arrange(root, BINDING), BINDING)


def _check_owner(root: Element, what: str, domain: ErrorDomain) -> None:
    name, uuid = root.value("owner/name"), root.value("owner/uuid")
    if not name:
        raise internal(f"{what} has no owner name", domain)
    if not uuid:
        raise internal(f"{what} has no owner UUID", domain)
    root.child("owner").child("uuid").set_text(_uuid(uuid, domain))


def _uuid(text: str, domain: ErrorDomain) -> str:
    if not _UUID.fullmatch(text):
        raise internal(f"Unable to parse UUID '{text}'", domain)
    return str(UUID(re.sub(r"[-\s]", "", text)))


def _check_mac(root: Element, complaint: str, domain: ErrorDomain) -> None:
    mac = (root.find("mac") or Element("mac")).attributes.get("address")
    if mac is None:
        raise internal(complaint, domain)
    if not _MAC.fullmatch(mac):
        raise internal(f"Unable to parse MAC '{mac}'", domain)


def _check_plug(plug: Element | None) -> None:
    if plug is None:
        return
    kind = plug.attributes.setdefault("type", "none")
    if kind not in PLUGS:
        raise wrong_value(plug, "type")
    needed = {"network": "bridge", "bridge": "bridge", "direct": "dev"}.get(kind)
    missing = needed not in plug.attributes if needed else kind == "hostdev-pci" and plug.find("address") is None
    if missing:
        raise xml_error(f"Missing network port {PLUGS[kind]}", ErrorDomain.NETWORK)
    if "mode" in plug.attributes:
        _MODES(plug, "mode")
