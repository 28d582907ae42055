# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's XML document: checked, completed with the defaults the test driver presents, and formatted.

It reads what the driver needs (name, UUID, memory, vCPUs, actions) and keeps every element, known or not.
Defaults and error texts are what clients of libvirt's own test driver see.
"""

from __future__ import annotations

import os
from uuid import UUID, uuid4

from virtproxy.documents.domain.layout import DEVICES, ELEMENTS, OS_TYPES, TYPES
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

ACTIONS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
_DISK_BUSES = {"hd": "ide", "sd": "scsi", "vd": "virtio", "xvd": "xen", "fd": "fdc", "ubd": "uml"}
_KIB = 1024
_UNITS = {
    "b": 1, "bytes": 1, "kb": 1000, "k": _KIB, "kib": _KIB, "mb": 10**6, "m": _KIB**2, "mib": _KIB**2,
    "gb": 10**9, "g": _KIB**3, "gib": _KIB**3, "tb": 10**12, "t": _KIB**4, "tib": _KIB**4,
}  # fmt: skip


def _error(code: ErrorCode, detail: str | None = None, domain: ErrorDomain = ErrorDomain.DOMAIN) -> VirtError:
    return VirtError.of(code, detail, domain=domain)


class DomainDocument:
    """One domain's definition; mutable where the driver's setters need it."""

    def __init__(self, text: str) -> None:
        """Read and complete `text`; VirtError with libvirt's code and text if it is no domain document."""
        root = parse(text)
        _check(root)
        self.root = root
        self.name = root.value("name") or ""
        self.uuid = _uuid(root)
        _complete(root, str(UUID(bytes=self.uuid)))

    def copy(self) -> DomainDocument:
        """An independent copy."""
        twin = object.__new__(DomainDocument)
        twin.root, twin.name, twin.uuid = self.root.copy(), self.name, self.uuid
        return twin

    def format(self, id: int | None = None) -> str:
        """The document as libvirt prints it; `id` is the running domain's number."""
        root = self.root
        if id is not None:
            root = root.copy()
            root.attributes = {**root.attributes, "id": str(id)}
        return format_document(root)

    def action(self, event: str) -> str:
        """What is to happen on "poweroff", "reboot" or "crash"."""
        return self.root.value(f"on_{event}") or ""

    @property
    def title(self) -> str | None:
        """The title, if there is one."""
        return self.root.value("title")

    @property
    def max_memory(self) -> int:
        """Memory the domain may have at most, in KiB."""
        return int(self.root.value("memory") or 0)

    @max_memory.setter
    def max_memory(self, kib: int) -> None:
        self.root.child("memory").set_text(str(kib))
        self.memory = min(self.memory, kib)

    @property
    def memory(self) -> int:
        """Memory the domain has, in KiB."""
        return int(self.root.value("currentMemory") or 0)

    @memory.setter
    def memory(self, kib: int) -> None:
        self.root.child("currentMemory").set_text(str(kib))

    @property
    def max_vcpus(self) -> int:
        """vCPUs the domain may have at most."""
        return int(self.root.value("vcpu") or 1)

    @max_vcpus.setter
    def max_vcpus(self, count: int) -> None:
        current = min(self.vcpus, count)
        self.root.child("vcpu").set_text(str(count))
        self.vcpus = current

    @property
    def vcpus(self) -> int:
        """vCPUs the domain has."""
        return int(self.root.child("vcpu").attributes.get("current", self.max_vcpus))

    @vcpus.setter
    def vcpus(self, count: int) -> None:
        attributes = self.root.child("vcpu").attributes
        attributes.pop("current", None)
        if count != self.max_vcpus:
            attributes["current"] = str(count)


def _check(root: Element) -> None:
    """Refuse what is no domain, in the order in which libvirt notices."""
    if root.name != "domain":
        detail = f"expecting root element of 'domain', not '{root.name}'"
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    if "type" not in root.attributes:
        raise _error(ErrorCode.INTERNAL_ERROR, "missing domain type attribute")
    if root.attributes["type"] not in TYPES:
        raise _error(ErrorCode.CONFIG_UNSUPPORTED, f"invalid domain type {root.attributes['type']}")
    _check_name(root.value("name"))
    _uuid(root)
    _check_os(root)
    if _kib(root, "memory") == 0:
        detail = "Memory size must be specified via <memory> or in the <numa> configuration"
        raise _error(ErrorCode.XML_ERROR, detail)


def _check_name(name: str | None) -> None:
    if not name:
        raise _error(ErrorCode.NO_NAME)
    if "/" in name:
        raise _error(ErrorCode.XML_ERROR, f"name {name} cannot contain '/'")


def _check_os(root: Element) -> None:
    os_type = root.value("os/type")
    if not os_type:
        raise _error(ErrorCode.XML_ERROR, "an os <type> must be specified")
    if os_type not in OS_TYPES:
        raise _error(ErrorCode.CONFIG_UNSUPPORTED, f"unknown OS type '{os_type}'")
    if os_type == "exe" and not root.value("os/init"):
        raise _error(ErrorCode.XML_ERROR, "init binary must be specified")


def _uuid(root: Element) -> bytes:
    text = root.value("uuid")
    if text is None:
        return uuid4().bytes
    try:
        return UUID(text).bytes
    except ValueError:
        raise _error(ErrorCode.INTERNAL_ERROR, "malformed uuid element") from None


def _kib(root: Element, name: str) -> int:
    """A memory element in KiB, rounded up; 0 if it is not there."""
    element = root.find(name)
    if element is None:
        return 0
    text, unit = element.text.strip(), element.attributes.get("unit", "KiB").lower()
    if unit not in _UNITS:
        detail = f"unknown suffix '{element.attributes['unit']}'"
        raise _error(ErrorCode.INVALID_ARG, detail, ErrorDomain.NONE)
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        detail = f"Invalid value '{text}' for element or attribute './{name}[1]'"
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    return -(-int(text) * _UNITS[unit] // _KIB)


def _complete(root: Element, uuid: str) -> None:
    """Fill in what libvirt fills in, and put the elements into its order."""
    prefixes = {name: value for name, value in root.attributes.items() if name.startswith("xmlns")}
    root.attributes = {"type": root.attributes["type"]}
    root.children = list(root.elements)
    root.child("uuid").set_text(uuid)
    _complete_memory(root)
    _complete_vcpus(root)
    _complete_boot(root)
    metadata = root.find("metadata")
    if metadata is not None:
        metadata.attributes.update(prefixes)
    _complete_devices(root.child("devices"))
    root.children.sort(key=lambda child: _place(child, ELEMENTS))


def _complete_boot(root: Element) -> None:
    """What the machine is, what it boots from, its clock, and what happens when it stops."""
    root.child("os").child("type").attributes.setdefault("arch", "i686")
    if root.find("os/boot") is None and root.value("os/type") == "hvm":
        root.child("os").children.append(Element("boot", {"dev": "hd"}))
    root.child("clock").attributes.setdefault("offset", "utc")
    for name, action in ACTIONS.items():
        if not root.value(name):
            root.child(name).set_text(action)


def _complete_memory(root: Element) -> None:
    most = _kib(root, "memory")
    now = min(_kib(root, "currentMemory") or most, most)
    for name, kib in (("memory", most), ("currentMemory", now), ("maxMemory", _kib(root, "maxMemory"))):
        if kib:
            element = root.child(name)
            element.attributes["unit"] = "KiB"
            element.set_text(str(kib))


def _complete_vcpus(root: Element) -> None:
    element = root.child("vcpu")
    text = element.text.strip() or "1"
    current = element.attributes.get("current", text)
    if not _is_count(text) or not _is_count(current):
        which = "maximum" if not _is_count(text) else "current"
        raise _error(ErrorCode.XML_ERROR, f"{which} vcpus count must be an integer")
    if int(current) > int(text):
        detail = "maximum vCPU count must not be less than current vCPU count"
        raise _error(ErrorCode.CONFIG_UNSUPPORTED, detail)
    element.attributes = {"placement": "static", **element.attributes}
    if current == text:
        element.attributes.pop("current", None)
    element.set_text(text)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16


def _complete_devices(devices: Element) -> None:
    devices.children = list(devices.elements)
    interfaces = 0
    for device in devices.elements:
        if device.name == "disk":
            _complete_disk(device)
        elif device.name == "interface":
            _complete_interface(device, interfaces)
            interfaces += 1
    devices.children.sort(key=lambda child: _place(child, DEVICES))


def _complete_disk(disk: Element) -> None:
    disk.attributes.setdefault("device", "disk")
    target = disk.child("target").attributes
    for prefix, bus in _DISK_BUSES.items():
        if target.get("dev", "").startswith(prefix):
            target.setdefault("bus", bus)


def _complete_interface(interface: Element, index: int) -> None:
    interface.children = list(interface.elements)
    if interface.find("mac") is None:
        tail = ":".join(f"{byte:02x}" for byte in os.urandom(3))
        interface.children.insert(0, Element("mac", {"address": f"52:54:00:{tail}"}))
    if interface.find("target") is None:
        source = interface.find("source")
        place = interface.children.index(source) + 1 if source is not None else len(interface.children)
        interface.children.insert(place, Element("target", {"dev": f"testnet{index}"}))


def _place(child: Element | str, order: tuple[str, ...]) -> int:
    name = child.name if isinstance(child, Element) else ""
    return order.index(name) if name in order else len(order)
