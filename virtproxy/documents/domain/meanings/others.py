# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remaining devices and what every device has: aliases, addresses, shared memory, memory modules.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import number, refused, scaled, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain


def alias(shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A definition keeps the aliases that a user made, and no others."""
    return shaper.active or element.attributes.get("name", "").startswith("ua-")


def shmem(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Shared memory is of the oldest model unless it says another."""
    if element.find("model") is None:
        element.children.insert(0, Element("model", {"type": "ivshmem"}))
    if element.child("model").attributes.get("type") == "ivshmem":
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


def virtio(_shaper: Shaper, element: Element, parent: Element | None) -> None:
    """The options of virtio devices are for these alone."""
    if parent is not None and not parent.attributes.get("model", "").startswith("virtio"):
        for name in ("iommu", "ats", "packed", "page_per_vq"):
            if name in element.attributes:
                raise unsupported(f"{name} driver option is only supported for virtio devices")


def iommu(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Only the virtio one sits on a bus."""
    model = element.attributes["model"]
    if model != "virtio" and element.find("address") is not None:
        raise xml_error(f"iommu model '{model}' can't have address")


def pstore(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A persistent store has a file."""
    if not element.value("path"):
        raise xml_error("missing path for ACPI ERST pstore device")
    size = element.value("size")
    if size is None or size == "0":
        raise xml_error("invalid size of ACPI ERST pstore device")


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
    elif "version" in attributes:
        major, _, minor = attributes["version"].partition(".")
        attributes["version"] = f"{major}.{minor.ljust(2, '0')}"


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


def memory(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """What each kind of memory module must say."""
    model, target = element.attributes["model"], element.find("target")
    if target is None:
        raise xml_error("Missing <target> element in <memory> device")
    if model in ("nvdimm", "virtio-pmem") and not element.value("source/path"):
        detail = f"path is required for model '{model}'"
        raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)
    if model == "virtio-mem":
        block = int(target.value("block") or 0)
        if not block or block & (block - 1):
            detail = "block size must be a power of two"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)


def megabytes(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A size in whole MiB, rounded down; none at all is not written."""
    found = scaled(element.text, element.attributes.get("unit", ""), "MiB")
    if found is None:
        raise refused(element.text.strip(), element.name, "")
    element.attributes["unit"] = "M"
    element.set_text(str(found >> 20))
    return found > 0


def rom(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A ROM that is not there is not tuned."""
    attributes = element.attributes
    if attributes.get("enabled") == "no" and ("bar" in attributes or "file" in attributes):
        raise unsupported("ROM tuning is not supported when ROM is disabled")


def label(_shaper: Shaper, element: Element, _parent: Element | None) -> bool:
    """A device's own security label says something."""
    return "relabel" in element.attributes or element.find("label") is not None


def nothing(_shaper: Shaper, _element: Element, _parent: Element | None) -> None:
    """Told by the table alone."""


MEANINGS: dict[str, Hook] = {
    "alias": alias, "shmem": shmem, "vsock": vsock, "iommu": iommu, "pstore": pstore, "usbdev": usbdev, "pci": pci,
    "unassigned": unassigned,
    "memory": memory, "megabytes": megabytes, "rom": rom, "virtio": virtio,
    "label": label, "ccw": nothing,
}  # fmt: skip
