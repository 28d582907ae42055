# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a host's device: what it is, what it can, and where it hangs. Device drivers keep one a device.

What a capability says beyond what is checked here is kept as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from virtproxy.documents.form import Form, any_text, arrange, read, required, unsupported, write, wrong_value
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError, internal
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DOMAIN = ErrorDomain.NODEDEV
# The public numbers of the list flags are the places here.
TYPES = (
    "system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "fc_host", "vports",
    "scsi_generic", "drm", "mdev_types", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd",
)  # fmt: skip
# What a capability must have, in the order in which it is missed: element (or element@attribute), and its name.
_REQUIRED = {
    "system": (("hardware/uuid", "system UUID"),),
    "pci": (
        ("domain", "PCI domain ID"), ("bus", "PCI bus ID"), ("slot", "PCI slot ID"), ("function", "PCI function ID"),
        ("vendor@id", "PCI vendor ID"), ("product@id", "PCI product ID"),
    ),
    "usb_device": (
        ("bus", "USB bus number"), ("device", "USB device number"), ("vendor@id", "USB vendor ID"),
        ("product@id", "USB product ID"),
    ),
    "usb": (
        ("number", "USB interface number"), ("class", "USB interface class"), ("subclass", "USB interface subclass"),
        ("protocol", "USB interface protocol"),
    ),
    "net": (("interface", "network interface"),),
    "scsi_host": (("host", "SCSI host ID"),),
    "scsi_target": (("target", "target name"),),
    "scsi": (
        ("host", "SCSI host ID"), ("bus", "SCSI bus ID"), ("target", "SCSI target ID"), ("lun", "SCSI LUN ID"),
    ),
    "storage": (("block", "block device path"),),
}  # fmt: skip
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|\d+", re.ASCII)
# Those that are text, not numbers.
_TEXTS = frozenset({"network interface", "target name", "block device path", "system UUID"})
_DRM = ("primary", "control", "render")

# The order in which libvirt writes what is in a capability; anything else comes as it came.
_ORDER = {
    "system": ("product", "hardware", "firmware"),
    "pci": ("class", "domain", "bus", "slot", "function", "product", "vendor"),
    "usb_device": ("bus", "device", "product", "vendor"),
    "usb": ("number", "class", "subclass", "protocol", "description"),
    "net": ("interface", "address", "link", "feature"),
    "scsi_host": ("host", "unique_id"),
    "scsi": ("host", "bus", "target", "lun", "type"),
    "storage": ("block", "bus", "drive_type", "model", "vendor", "serial", "size"),
}


class NodeDeviceDocument:
    """One device's definition."""

    def __init__(self, root: Element, name: str) -> None:
        self.root = root
        self.name = name

    def copy(self) -> NodeDeviceDocument:
        """An independent copy."""
        return NodeDeviceDocument(self.root.copy(), self.name)

    def format(self) -> str:
        """The document as libvirt writes it."""
        return write(self.root, _form(self.root))

    @property
    def parent(self) -> str | None:
        """The name of the device it hangs on."""
        return self.root.value("parent")

    @property
    def capabilities(self) -> list[str]:
        """The types of its capabilities."""
        return [required(capability, "type") for capability in _named(self.root, "capability")]

    @property
    def all_capabilities(self) -> list[str]:
        """The same with those within, as lists filter by them."""
        inner = [inner for outer in _named(self.root, "capability") for inner in _named(outer, "capability")]
        found = [*self.capabilities, *(one.attributes.get("type", "") for one in inner)]
        return ["vports" if kind == "vport_ops" else kind for kind in found]

    @property
    def flags(self) -> int:
        """The list flags that ask for it."""
        return sum(1 << TYPES.index(kind) for kind in set(self.all_capabilities) & set(TYPES))

    @property
    def world_wide_names(self) -> tuple[str, str] | None:
        """Of a fibre channel host: its node's and its port's; None for anything else."""
        for outer in _named(self.root, "capability"):
            for inner in _named(outer, "capability"):
                if inner.attributes.get("type") == "fc_host":
                    return inner.value("wwnn") or "", inner.value("wwpn") or ""
        return None


def parse(text: str, name: str | None = None) -> NodeDeviceDocument:
    """Read a document; `name` is for one that is not made yet, which has none. VirtError, in libvirt's words."""
    root = read(text, "device", DOMAIN)
    is_new = name is not None
    if name is None:
        name = (root.find("name") or Element("name")).text
        if not name:
            raise VirtError.of(ErrorCode.NO_NAME, domain=DOMAIN)
    else:
        root.child("name").set_text(name)
    capabilities = _named(root, "capability")
    if not capabilities:
        raise internal(f"no device capabilities for '{name}'", DOMAIN)
    for capability in capabilities:
        _check(capability, name, is_new=is_new)
    return NodeDeviceDocument(arrange(root, _form(root)), name)


def _capability(kind: str) -> Form:
    """The form of a capability; it has an end tag even with nothing inside."""
    order = tuple(Form(name, many=name == "feature", bare=True) for name in _ORDER.get(kind, ()))
    return Form("capability", {"type": any_text}, order, many=True, hollow=True)


def _form(root: Element) -> Form:
    """The form of this device: a capability's depends on its type."""
    kinds = {capability.attributes.get("type", "") for capability in _named(root, "capability")}
    capability = _capability(kinds.pop()) if len(kinds) == 1 else _capability("")
    front = (
        Form("name"), Form("path"), Form("devnode", {"type": any_text}, many=True), Form("parent"),
        Form("driver", children=(Form("name"),)),
    )  # fmt: skip
    return Form("device", children=(*front, capability))


def _check(capability: Element, name: str, *, is_new: bool) -> None:
    kind = required(capability, "type")
    if kind not in TYPES:
        raise wrong_value(capability, "type")
    # A virtual port gets its number when it is made.
    for path, word in () if is_new and kind == "scsi_host" else _REQUIRED.get(kind, ()):
        value = _value(capability, path)
        if not value:
            raise internal(f"no {word} supplied for '{name}'", DOMAIN)
        if word not in _TEXTS and not _NUMBER.fullmatch(value):
            raise internal(f"invalid {word} supplied for '{name}'", DOMAIN)
    if kind == "drm" and capability.value("type") not in _DRM:
        raise unsupported(f"unknown drm type '{capability.value('type') or ''}' for '{name}'", DOMAIN)
    if kind == "scsi_host":
        # A fibre channel host comes before what it can do.
        capability.children.sort(key=partial(_last_for, "vport_ops"))


def _last_for(kind: str, child: Element | str) -> bool:
    return isinstance(child, Element) and child.attributes.get("type") == kind


def _value(capability: Element, path: str) -> str | None:
    where, at, attribute = path.partition("@")
    if not at:
        return capability.value(where)
    found = capability.find(where)
    return None if found is None else found.attributes.get(attribute)


def _named(element: Element, name: str) -> list[Element]:
    return list(_children(element, name))


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element.elements if child.name == name)
