# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that come, change and go while a domain is there. As in libvirt's own test driver, only few kinds can."""

from __future__ import annotations

from virtproxy.documents.domain import Device, DomainDocument
from virtproxy.driver import Call, ErrorCode, ErrorDomain, implements, remote
from virtproxy.drivers.test.affect import CONFIG, LIVE, check_flags_of, chosen, refused
from virtproxy.drivers.test.guests import Guest
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.tree import inside

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
        device = document.find_alias(args.alias)
        if device is None:
            raise refused(ErrorCode.INTERNAL_ERROR, f"no device found with alias {args.alias}")
        document.root.child("devices").children.remove(device.element)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, guest, args.alias)

    @implements(remote.DOMAIN_UPDATE_DEVICE_FLAGS)
    async def update_device(self, call: Call, args: remote.DomainUpdateDeviceFlagsArgs) -> None:
        call.check_flags(args.flags, LIVE, CONFIG)
        documents = chosen(self.subject(call, args.dom), args.flags)
        device = Device.parse(args.xml)
        if device.kind != "disk":
            detail = f"persistent update of device '{device.called}' is not supported"
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)
        for document in documents:
            document.update(device.copy(), ErrorDomain.TEST)

    def _attach(self, call: Call, guest: Guest, xml: str, flags: int) -> None:
        document = _live_only("testDomainAttachDeviceLiveAndConfig", guest, flags)
        device = Device.parse(xml)
        if device.kind == "disk":
            self._attach_disk(call, guest, document, device)
        elif device.kind == "hostdev":
            if device.type != "pci":
                detail = f"hotplug is not supported for hostdev subsys type '{device.type}'"
                raise call.error(ErrorCode.CONFIG_UNSUPPORTED, detail)
            document.attach(device, ErrorDomain.TEST)
        elif device.kind == "interface":
            detail = f"hotplug of interface type of {device.type} is not implemented yet"
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)
        else:
            detail = f"live attach of device '{device.called}' is not supported"
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, detail)

    def _attach_disk(self, call: Call, guest: Guest, document: DomainDocument, disk: Device) -> None:
        old = document.find(disk)
        if old is not None:
            sources = f"'{old.source}' and '{disk.source}'"
            raise refused(ErrorCode.XML_ERROR, f"target '{disk.target}' duplicated for disk sources {sources}")
        if disk.bus not in _HOTPLUG_BUSES:
            raise call.error(ErrorCode.OPERATION_UNSUPPORTED, f"disk bus '{disk.bus}' cannot be hotplugged.")
        alias = f"{disk.bus}-disk{_place(disk)}"
        inside(disk.element, "alias").attributes["name"] = alias
        _insert_disk(document, disk)
        self.emit(remote.DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, guest, alias)


def _live_only(function: str, guest: Guest, flags: int) -> DomainDocument:
    """The live document; VirtError if anything else is meant."""
    chosen(guest, flags)
    if not flags & (LIVE | CONFIG):
        flags |= LIVE if guest.active else CONFIG
    check_flags_of(function, flags, LIVE)
    return guest.active_document()


def _insert_disk(document: DomainDocument, disk: Device) -> None:
    """Put a disk before those of its bus that come later by their names."""
    every = document.root.child("devices").children
    for other in document.devices("disk"):
        if other.bus == disk.bus and _place(other) > _place(disk):
            every.insert(every.index(other.element), disk.element)
            return
    document.attach(disk)


def _place(disk: Device) -> int:
    """Where a disk stands by its name: "vda" 0, "vdz" 25, "vdaa" 26."""
    place = 0
    for letter in (disk.target or "")[2:]:
        place = 26 * place + ord(letter) - ord("a") + 1
    return place - 1
