# SPDX-License-Identifier: LGPL-2.1-or-later
"""One device's document, completed as it would be inside a domain's."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.driver import ErrorCode
from virtproxy.drivers.test.affect import refused
from virtproxy.drivers.test.tree import ORDER

# What libvirt calls devices in errors where it is not their element's name.
_KINDS = {"serial": "chr", "parallel": "chr", "console": "chr", "channel": "chr"}
_KNOWN = frozenset(ORDER["devices"]) - {"emulator"} | {"shmem", "memory", "panic", "iommu", "vsock", "crypto"}
_PCI = {"domain": 4, "bus": 2, "slot": 2, "function": 1}
_AROUND = "<domain type='test'><name>n</name><memory>1</memory><os><type>hvm</type></os><devices/></domain>"


def kind_of(device: Element) -> str:
    """What libvirt calls it."""
    return _KINDS.get(device.name, device.name)


def parse_device(xml: str) -> Element:
    """A device with what libvirt fills in; VirtError."""
    device = parse(xml)
    if device.name not in _KNOWN:
        raise refused(ErrorCode.CONFIG_UNSUPPORTED, f"unknown device type '{device.name}'")
    if device.name == "disk" and not (device.find("target") or Element("")).attributes.get("dev"):
        source = device.find("source")
        raise refused(ErrorCode.NO_TARGET, (source.attributes.get("file", "") if source is not None else ""))
    if device.name == "hostdev":
        _complete_hostdev(device)
    around = parse(_AROUND)
    around.child("devices").children = [device]
    inside = DomainDocument(format_document(around)).root.child("devices")
    return next(each for each in inside.elements if each.name == device.name)


def _complete_hostdev(device: Element) -> None:
    """Whether the host gives it up by itself, and its PCI address as libvirt writes it."""
    device.attributes.setdefault("managed", "no")
    address = device.find("source/address")
    if address is None or device.attributes.get("type") != "pci":
        return
    for name, digits in _PCI.items():
        text = address.attributes.get(name, "0")
        try:
            value = int(text, 0)
        except ValueError:
            detail = f"Invalid value for attribute '{name}' in element 'address': '{text}'. Expected integer value"
            raise refused(ErrorCode.XML_ERROR, detail) from None
        address.attributes[name] = f"0x{value:0{digits}x}"
