# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's node devices: a computer and its three SCSI hosts, looked up, listed, made and destroyed.

A device that is made is a virtual port of a fibre channel host, and always the same one: clients know it from
libvirt's own driver.
"""

from __future__ import annotations

from virtproxy.documents.nodedev import NodeDeviceDocument, parse
from virtproxy.documents.validate import validate
from virtproxy.driver import Call, ErrorDomain, Objects, implements, kinds, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import NODE_DEVICES
from virtproxy.errors import internal

LIST_FLAGS = 0x801FFFFF
VALIDATE = 1
INACTIVE = 1
CREATED, DELETED = 0, 1
# The port that is made, and the one that it is like.
MADE, LIKE = "scsi_host12", "scsi_host11"


class DeviceThing:
    """One device."""

    def __init__(self, document: NodeDeviceDocument) -> None:
        self.name = document.name
        self.uuid = b""
        self.document = document

    def ref(self) -> remote.NonnullNodeDevice:
        """How the protocol names it."""
        return remote.NonnullNodeDevice(name=self.name)


class NodeDevices(TestHost):
    """The procedures of the node device family."""

    def reset(self) -> None:
        super().reset()
        for xml in NODE_DEVICES.values():
            self.devices.add(DeviceThing(parse(xml)))

    def empty(self) -> None:
        super().empty()
        self.devices: Objects[DeviceThing] = Objects(kinds.NODE_DEVICES.of(ErrorDomain.TEST))

    @implements(remote.NODE_NUM_OF_DEVICES)
    async def num_of_devices(self, call: Call, args: remote.NodeNumOfDevicesArgs) -> remote.NodeNumOfDevicesRet:
        call.check_flags(args.flags)
        return remote.NodeNumOfDevicesRet(num=len(self._devices(call, args.cap)))

    @implements(remote.NODE_LIST_DEVICES)
    async def list_devices(self, call: Call, args: remote.NodeListDevicesArgs) -> remote.NodeListDevicesRet:
        call.check_flags(args.flags)
        return remote.NodeListDevicesRet(names=self._devices(call, args.cap))

    @implements(remote.CONNECT_LIST_ALL_NODE_DEVICES)
    async def list_all_devices(
        self, call: Call, args: remote.ConnectListAllNodeDevicesArgs
    ) -> remote.ConnectListAllNodeDevicesRet:
        call.check_flags(args.flags, LIST_FLAGS)
        devices = call.visible(self.devices)
        found = [device.ref() for device in devices if not args.flags or args.flags & device.document.flags]
        return remote.ConnectListAllNodeDevicesRet(devices=found, ret=len(found))

    @implements(remote.NODE_DEVICE_LOOKUP_BY_NAME)
    async def device_by_name(
        self, call: Call, args: remote.NodeDeviceLookupByNameArgs
    ) -> remote.NodeDeviceLookupByNameRet:
        return remote.NodeDeviceLookupByNameRet(dev=self._device(call, args.name).ref())

    @implements(remote.NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN)
    async def device_by_wwn(
        self, call: Call, args: remote.NodeDeviceLookupScsiHostByWwnArgs
    ) -> remote.NodeDeviceLookupScsiHostByWwnRet:
        call.check_flags(args.flags)
        wanted = (args.wwnn, args.wwpn)
        for device in self.devices:
            if device.document.world_wide_names == wanted:
                call.authorize(device)
                return remote.NodeDeviceLookupScsiHostByWwnRet(dev=device.ref())
        detail = f"no SCSI host with WWNN '{args.wwnn}' and WWPN '{args.wwpn}'"
        raise self.devices.kind.absent(detail)

    @implements(remote.NODE_DEVICE_GET_XML_DESC)
    async def device_xml(self, call: Call, args: remote.NodeDeviceGetXmlDescArgs) -> remote.NodeDeviceGetXmlDescRet:
        call.check_flags(args.flags, INACTIVE)
        return remote.NodeDeviceGetXmlDescRet(xml=self._device(call, args.name).document.format())

    @implements(remote.NODE_DEVICE_GET_PARENT)
    async def device_parent(self, call: Call, args: remote.NodeDeviceGetParentArgs) -> remote.NodeDeviceGetParentRet:
        return remote.NodeDeviceGetParentRet(parent_name=self._device(call, args.name).document.parent)

    @implements(remote.NODE_DEVICE_NUM_OF_CAPS)
    async def num_of_caps(self, call: Call, args: remote.NodeDeviceNumOfCapsArgs) -> remote.NodeDeviceNumOfCapsRet:
        return remote.NodeDeviceNumOfCapsRet(num=len(self._device(call, args.name).document.capabilities))

    @implements(remote.NODE_DEVICE_LIST_CAPS)
    async def list_caps(self, call: Call, args: remote.NodeDeviceListCapsArgs) -> remote.NodeDeviceListCapsRet:
        return remote.NodeDeviceListCapsRet(names=self._device(call, args.name).document.capabilities)

    @implements(remote.NODE_DEVICE_IS_ACTIVE)
    async def device_active(self, call: Call, args: remote.NodeDeviceIsActiveArgs) -> remote.NodeDeviceIsActiveRet:
        self._device(call, args.name)
        return remote.NodeDeviceIsActiveRet(active=1)

    @implements(remote.NODE_DEVICE_IS_PERSISTENT)
    async def device_persistent(
        self, call: Call, args: remote.NodeDeviceIsPersistentArgs
    ) -> remote.NodeDeviceIsPersistentRet:
        self._device(call, args.name)
        return remote.NodeDeviceIsPersistentRet(persistent=1)

    # Changing

    @implements(remote.NODE_DEVICE_CREATE_XML)
    async def device_create(self, call: Call, args: remote.NodeDeviceCreateXmlArgs) -> remote.NodeDeviceCreateXmlRet:
        call.check_flags(args.flags, VALIDATE)
        if args.flags & VALIDATE:
            validate(args.xml_desc, "nodedev")
        wanted = parse(args.xml_desc, "new device")
        call.authorize(DeviceThing(wanted))
        names = wanted.world_wide_names
        if names is None:
            raise internal("Device is not a fibre channel HBA", ErrorDomain.NODEDEV)
        self._check_parent(wanted.parent)
        return remote.NodeDeviceCreateXmlRet(dev=self.make_port(*names).ref())

    @implements(remote.NODE_DEVICE_DESTROY)
    async def device_destroy(self, call: Call, args: remote.NodeDeviceDestroyArgs) -> None:
        device = self._device(call, args.name)
        # Only ports can be taken away; of others nothing is told, as with libvirt's driver.
        if device.document.world_wide_names is not None:
            self.remove_device(device)

    def make_port(self, wwnn: str, wwpn: str) -> DeviceThing:
        """Make the virtual port, or give it other names if it is there. VirtError if there is none to copy."""
        port = parse(self.devices.by_name(LIKE).document.format(), MADE)
        for name, value in (("wwnn", wwnn), ("wwpn", wwpn)):
            port.root.child("capability").child("capability").child(name).set_text(value)
        device = self.devices.get(name=MADE)
        if device is None:
            device = self.devices.add(DeviceThing(port))
        device.document = port
        self.emit(remote.NODE_DEVICE_EVENT_LIFECYCLE, device, CREATED, 0)
        return device

    def remove_device(self, device: DeviceThing) -> None:
        """Take it away."""
        self.devices.remove(device)
        self.emit(remote.NODE_DEVICE_EVENT_LIFECYCLE, device, DELETED, 0)

    # Around them

    def _check_parent(self, name: str | None) -> None:
        """Refuse a parent that has no virtual ports; without a name, any will do."""
        parent = None if name is None else self.devices.get(name=name)
        if name is not None and parent is None:
            raise internal("Could not find parent device for 'new device'", ErrorDomain.NODEDEV)
        if parent is not None and "vports" not in parent.document.all_capabilities:
            detail = f"Parent device {name} is not capable of vport operations"
            raise internal(detail, ErrorDomain.NODEDEV)

    def _device(self, call: Call, name: str) -> DeviceThing:
        device = self.devices.by_name(name)
        call.authorize(device)
        return device

    def _devices(self, call: Call, cap: str | None) -> list[str]:
        devices = call.visible(self.devices)
        return [device.name for device in devices if cap is None or cap in device.document.all_capabilities]
