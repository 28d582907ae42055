# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's XML document as a typed model: checked, completed, changed and formatted as libvirt does.

Drivers make one from a client's text and keep it as the domain's definition. Elements that it does not know stay in
place.
"""

from __future__ import annotations

from virtproxy.documents.domain.access import Access, place_child
from virtproxy.documents.domain.check import complete
from virtproxy.documents.domain.device import Device
from virtproxy.documents.domain.layout import TEST_HOST, Host
from virtproxy.documents.markup import Element, format_document, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# VIR_DOMAIN_XML_*: what a client may ask of a document.
SECURE, INACTIVE, UPDATE_CPU, MIGRATABLE = 1, 2, 4, 8


class DomainDocument(Access):
    """One domain's definition; mutable where the driver's setters need it."""

    def __init__(self, text: str, host: Host = TEST_HOST) -> None:
        """Read and complete `text`; VirtError with libvirt's code and text if it is no domain document.

        host: what the driver fills in; the test driver's by itself.
        """
        self._take(parse(text), host)

    @classmethod
    def of(cls, root: Element, host: Host = TEST_HOST) -> DomainDocument:
        """The document of a parsed tree, which becomes its own; VirtError as above."""
        made = object.__new__(cls)
        made._take(root, host)
        return made

    def _take(self, root: Element, host: Host) -> None:
        self.root, self.host = root, host
        self.uuid = complete(root, host)
        self.name = root.value("name") or ""

    def copy(self) -> DomainDocument:
        """An independent copy."""
        twin = object.__new__(DomainDocument)
        twin.root, twin.name, twin.uuid, twin.host = self.root.copy(), self.name, self.uuid, self.host
        return twin

    def format(self, id: int | None = None, flags: int = SECURE) -> str:
        """The document as libvirt prints it; `id` is the running domain's number.

        flags: VIR_DOMAIN_XML_*. Without SECURE there are no passwords in it, with INACTIVE nothing of a running domain.
        """
        root = self.root
        if id is not None and not flags & INACTIVE:
            root = root.shallow()
            root.attributes = {**root.attributes, "id": str(id)}
        if not flags & SECURE or flags & INACTIVE:
            root = _without(root, passwords=not flags & SECURE, aliases=bool(flags & INACTIVE))
        return format_document(root)

    def action(self, event: str) -> str:
        """What is to happen on "poweroff", "reboot" or "crash"."""
        return self.root.value(f"on_{event}") or ""

    @property
    def title(self) -> str | None:
        """The title, if there is one."""
        return self.root.value("title")

    @property
    def description(self) -> str | None:
        """The description, if there is one."""
        return self.root.value("description")

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

    def devices(self, kind: str | None = None) -> list[Device]:
        """The devices of a kind (an element's name: "disk", "interface"), or all of them, in order."""
        inner = self.root.child("devices").elements
        return [Device(each) for each in inner if each.name == kind or (kind is None and each.name != "emulator")]

    def find_disk(self, name: str) -> Device | None:
        """The disk with this target or this source."""
        disks = self.devices("disk")
        found = (disk for disk in disks if disk.target == name)
        return next(found, None) or next((disk for disk in disks if name and disk.source == name), None)

    def find_alias(self, alias: str) -> Device | None:
        """The device with this alias."""
        return next((device for device in self.devices() if device.alias == alias), None)

    def find(self, device: Device) -> Device | None:
        """The device of this domain that a client means who describes `device`."""
        return next((each for each in self.devices(device.kind) if each.same(device)), None)

    def attach(self, device: Device, domain: int = ErrorDomain.DOMAIN) -> None:
        """Add a device; VirtError in the words of the driver `domain` if there is one in its place."""
        if device.kind in ("disk", "interface", "filesystem", "hostdev", "lease") and self.find(device) is not None:
            raise _taken(device, domain)
        place_child(self.root.child("devices"), device.element, f"devices/{device.kind}")

    def detach(self, device: Device, domain: int = ErrorDomain.DOMAIN) -> Device:
        """Take out the device that `device` describes, and return it; VirtError if there is none."""
        found = self.find(device)
        if found is None:
            raise _absent(device, domain)
        self.root.child("devices").children.remove(found.element)
        return found

    def update(self, device: Device, domain: int = ErrorDomain.DOMAIN) -> Device:
        """Put a device in the place of the one that it describes, and return that; VirtError if there is none."""
        found = self.find(device)
        if found is None:
            if device.kind == "disk":
                detail = f"target {device.target} doesn't exist."
                raise VirtError.of(ErrorCode.INVALID_ARG, detail, domain=domain)
            raise _absent(device, domain)
        inner = self.root.child("devices").children
        inner[inner.index(found.element)] = device.element
        return found


def _taken(device: Device, domain: int) -> VirtError:
    details = {
        "disk": f"target {device.target} already exists",
        "interface": f"network device with mac {device.mac} already exists",
        "hostdev": "device is already in the domain configuration",
        "lease": f"Lease {device.element.value('key')} in lockspace {device.element.value('lockspace')} already exists",
        "filesystem": "Target already exists",
    }
    return VirtError.of(ErrorCode.OPERATION_INVALID, details[device.kind], domain=domain)


def _absent(device: Device, domain: int) -> VirtError:
    details = {
        "disk": f"no target device {device.target}",
        "interface": f"no device matching MAC address {device.mac} found",
        "lease": f"Lease {device.element.value('key')} in lockspace {device.element.value('lockspace')} does not exist",
        "filesystem": f"no matching filesystem device was found: {device.element.find('target') is not None}",
    }
    detail = details.get(device.kind, "device not present in domain configuration")
    return VirtError.of(ErrorCode.DEVICE_MISSING, detail, domain=domain)


def _without(root: Element, *, passwords: bool, aliases: bool) -> Element:
    """The document without passwords, or without the names of a running domain's devices; the rest is shared."""
    devices = root.find("devices")
    if devices is None:
        return root
    if not aliases and not any("passwd" in device.attributes for device in devices.elements):
        return root
    kept = [_bare(device, passwords, aliases) for device in devices.elements]
    twin, inner = root.shallow(), devices.shallow()
    inner.children = list(kept)
    twin.children = [inner if child is devices else child for child in root.children]
    return twin


def _bare(device: Element, passwords: bool, aliases: bool) -> Element:
    if passwords and "passwd" in device.attributes:
        device = device.shallow()
        device.attributes = {name: value for name, value in device.attributes.items() if name != "passwd"}
    if aliases:
        alias = device.find("alias")
        if alias is not None and not alias.attributes.get("name", "").startswith("ua-"):
            device = device.shallow()
            device.children = [child for child in device.children if child is not alias]
    return device
