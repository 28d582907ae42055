# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come, change and go while a domain is there. As in libvirt's own test driver, only few kinds can."""

from __future__ import annotations

from virtproxy.documents.domain import DomainDocument
from virtproxy.documents.markup import Element
from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, check_flags_of, chosen, refused
from virtproxy.drivers.test.device_documents import kind_of, parse_device
from virtproxy.drivers.test.guests import Guest
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import devices, insert

_HOTPLUG_BUSES = ("virtio",)


class Devices(TestHost):
    """Disks and host devices come, disks change, what has an alias goes."""

    @implements(remote.DOMAIN_ATTACH_DEVICE)
    async def attach_device(self, call: Call, args: remote.DomainAttachDeviceArgs) -> None:
        self._attach(call, self.subject(call, args.dom), args.xml, 0)

    @implements(remote.DOMAIN_ATTACH_DEVICE_FLAGS)
    async def attach_device_flags(self, call: Call, args: remote.DomainAttachDeviceFlagsArgs) -> None:
        self._attach(call, self.subject(call, args.dom), args.xml, args.flags)

    @implements(remote.DOMAIN_DETACH_DEVICE_ALIAS)
    async def detach_device_alias(self, call: Call, args: remote.DomainDetachDeviceAliasArgs) -> None:
        guest = self.subject(call, args.dom)
        document = _live_only("testDomainDetachDeviceAliasLiveAndConfig", guest, args.flags)
        for device in document.root.child("devices").elements:
            alias = device.find("alias")
            if alias is not None and alias.attributes.get("name") == args.alias:
                document.root.child("devices").children.remove(device)
                self.emit(remote.DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, guest, args.alias)
                return
        raise refused(ErrorCode.INTERNAL_ERROR, f"no device found with alias {args.alias}")

    @implements(remote.DOMAIN_UPDATE_DEVICE_FLAGS)
    async def update_device(self, call: Call, args: remote.DomainUpdateDeviceFlagsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        documents = chosen(self.subject(call, args.dom), args.flags)
        device = parse_device(args.xml)
        if device.name != "disk":
            detail = f"persistent update of device '{kind_of(device)}' is not supported"
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)
        target = device.child("target").attributes.get("dev", "")
        for document in documents:
            old = _disk(document, target)
            if old is None:
                raise call.error(ErrorCode.INVALID_ARG, f"target {target} doesn't exist.")
            inside = document.root.child("devices").children
            inside[inside.index(old)] = device.copy()

    def _attach(self, call: Call, guest: Guest, xml: str, flags: int) -> None:
        document = _live_only("testDomainAttachDeviceLiveAndConfig", guest, flags)
        device = parse_device(xml)
        if device.name == "disk":
            self._attach_disk(call, guest, document, device)
            return
        if device.name == "hostdev":
            if device.attributes.get("type") != "pci":
                detail = f"hotplug is not supported for hostdev subsys type '{device.attributes.get('type')}'"
                raise call.error(ErrorCode.CONFIG_UNSUPPORTED, detail)
            insert(document.root.child("devices"), device)
            return
        if device.name == "interface":
            detail = f"hotplug of interface type of {device.attributes.get('type')} is not implemented yet"
        else:
            detail = f"live attach of device '{kind_of(device)}' is not supported"
        raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)

    def _attach_disk(self, call: Call, guest: Guest, document: DomainDocument, disk: Element) -> None:
        target = disk.child("target").attributes
        bus, name = target.get("bus", ""), target.get("dev", "")
        old = _disk(document, name)
        if old is not None:
            sources = " and ".join(f"'{_source(each)}'" for each in (old, disk))
            raise refused(ErrorCode.XML_ERROR, f"target '{name}' duplicated for disk sources {sources}")
        if bus not in _HOTPLUG_BUSES:
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, f"disk bus '{bus}' cannot be hotplugged.")
        alias = f"{bus}-disk{_place(name)}"
        insert(disk, Element("alias", {"name": alias}))
        _insert_disk(document, disk)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, guest, alias)


def _live_only(function: str, guest: Guest, flags: int) -> DomainDocument:
    """The live document; VirtError if anything else is meant."""
    chosen(guest, flags)
    if not flags & (LIVE | CONFIG):
        flags |= LIVE if guest.active else CONFIG
    check_flags_of(function, flags, LIVE)
    return guest.active_document()


def _disk(document: DomainDocument, target: str) -> Element | None:
    return next(
        (disk for disk in devices(document, "disk") if disk.child("target").attributes.get("dev") == target), None
    )


def _insert_disk(document: DomainDocument, disk: Element) -> None:
    """Put a disk before those of its bus that come later by their names."""
    target, inside = disk.child("target").attributes, document.root.child("devices")
    for other in devices(document, "disk"):
        named = other.child("target").attributes
        if named.get("bus") == target.get("bus") and _place(named.get("dev", "")) > _place(target["dev"]):
            inside.children.insert(inside.children.index(other), disk)
            return
    insert(inside, disk)


def _source(disk: Element) -> str:
    source = disk.find("source")
    return "" if source is None else source.attributes.get("file") or source.attributes.get("dev", "")


def _place(target: str) -> int:
    """Where a disk stands by its name: "vda" 0, "vdz" 25, "vdaa" 26."""
    place = 0
    for letter in target[2:]:
        place = 26 * place + ord(letter) - ord("a") + 1
    return place - 1
