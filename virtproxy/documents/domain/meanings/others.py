# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remaining devices and what every device has: aliases, addresses, shared memory, memory modules.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import number, unsupported, xml_error
from virtproxy.documents.markup import Element


def alias(shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A definition keeps the aliases that a user made, and no others."""
    return shaper.active or element.attributes.get("name", "").startswith("ua-")


def shmem(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Shared memory is of the oldest model unless it says another."""
    if element.find("model") is None:
        element.children.insert(0, Element("model", {"type": "ivshmem"}))
    if element.child("model").attributes.get("type") != "ivshmem-plain":
        element.attributes.pop("role", None)
    if element.find("msi") is not None and element.find("server") is None:
        raise xml_error("msi option is only supported with a server")


def vsock(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A context identifier is chosen where none is given."""
    if element.find("cid") is None:
        element.children.insert(0, Element("cid", {"auto": "yes"}))
    cid = element.child("cid")
    if "auto" not in cid.attributes:
        cid.attributes = {"auto": "no" if "address" in cid.attributes else "yes", **cid.attributes}


def iommu(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only the virtio one sits on a bus."""
    model = element.attributes["model"]
    if model != "virtio" and element.find("address") is not None:
        raise xml_error(f"iommu model '{model}' can't have address")


def pstore(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A persistent store has a file."""
    if not element.value("path"):
        raise xml_error("missing path for ACPI ERST pstore device")


def usbdev(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A filter's numbers; -1 stands for any, and is not written."""
    attributes = element.attributes
    for name, digits in (("class", 2), ("vendor", 4), ("product", 4)):
        if name in attributes:
            value = number(attributes[name], 0)
            if value is None or value >= 16**digits:
                raise xml_error(f"Cannot parse USB device {name} '{attributes[name]}'")
            if value == -1:
                del attributes[name]
            else:
                attributes[name] = f"0x{value:0{digits}X}"
    if attributes.get("version") == "-1":
        del attributes["version"]


def pci(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A PCI address is said in full, or not at all."""
    attributes = element.attributes
    if attributes.keys() & {"domain", "bus", "slot", "function"}:
        usual = {"domain": "0x0000", "bus": "0x00", "slot": "0x00", "function": "0x0"}
        element.attributes = {"type": "pci"} | usual | attributes


def unassigned(_shaper: Shaper, _element: Element, parent: Element | None) -> None:
    """Only a host's device may have no address at the machine."""
    if parent is not None and parent.name != "hostdev":
        raise unsupported("address of type 'unassigned' is supported only for hostdevs")


def nothing(_shaper: Shaper, _element: Element, _parent: Element | None) -> None:
    """Told by the table alone."""


MEANINGS: dict[str, Hook] = {
    "alias": alias, "shmem": shmem, "vsock": vsock, "iommu": iommu, "pstore": pstore, "usbdev": usbdev, "pci": pci,
    "unassigned": unassigned,
    "ccw": nothing, "memory": nothing, "console": nothing,
}  # fmt: skip
