# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's node devices: a computer and its three SCSI hosts, looked up and listed."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import NODE_DEVICES
from virtproxy.drivers.test.thing import Thing, only

# The list flags by capability; an fc_host or a vport_ops is a capability within a scsi_host.
CAP_FLAGS = {"system": 1 << 0, "scsi_host": 1 << 5, "fc_host": 1 << 9, "vports": 1 << 10}
LIST_FLAGS = (1 << 21) - 1


class DeviceThing(Thing):
    """One device."""

    def ref(self) -> remote.NonnullNodeDevice:
        """How the protocol names it."""
        return remote.NonnullNodeDevice(name=self.name)

    @property
    def caps(self) -> list[str]:
        """Its capabilities' types."""
        return [child.attributes.get("type", "") for child in self.root.elements if child.name == "capability"]

    @property
    def parent(self) -> str | None:
        """The device it hangs on."""
        return self.root.value("parent")

    @property
    def world_wide_names(self) -> tuple[str | None, str | None]:
        """Of a SCSI host that is a fibre channel host: its node's and its port's."""
        inner = "capability/capability"
        return self.root.value(f"{inner}/wwnn"), self.root.value(f"{inner}/wwpn")

    @property
    def flags(self) -> int:
        """The list flags that ask for it."""
        nested = self.root.find("capability")
        inner = [child.attributes.get("type", "") for child in nested.elements] if nested is not None else []
        known = [*self.caps, *("vports" if cap == "vport_ops" else cap for cap in inner)]
        return sum(CAP_FLAGS.get(cap, 0) for cap in known)


class NodeDevices(TestHost):
    """The procedures of the node device family."""

    def reset(self) -> None:
        super().reset()
        self.devices = [DeviceThing(xml) for xml in NODE_DEVICES.values()]

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
        found = [device.ref() for device in call.visible(self.devices) if not args.flags or args.flags & device.flags]
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
        detail = f"no SCSI host with WWNN '{args.wwnn}' and WWPN '{args.wwpn}'"
        names = (args.wwnn, args.wwpn)
        device = only(self.devices, ErrorCode.NO_NODE_DEVICE, detail, lambda device: device.world_wide_names == names)
        call.authorize(device)
        return remote.NodeDeviceLookupScsiHostByWwnRet(dev=device.ref())

    @implements(remote.NODE_DEVICE_GET_XML_DESC)
    async def device_xml(self, call: Call, args: remote.NodeDeviceGetXmlDescArgs) -> remote.NodeDeviceGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.NodeDeviceGetXmlDescRet(xml=self._device(call, args.name).xml)

    @implements(remote.NODE_DEVICE_GET_PARENT)
    async def device_parent(self, call: Call, args: remote.NodeDeviceGetParentArgs) -> remote.NodeDeviceGetParentRet:
        return remote.NodeDeviceGetParentRet(parent_name=self._device(call, args.name).parent)

    @implements(remote.NODE_DEVICE_NUM_OF_CAPS)
    async def num_of_caps(self, call: Call, args: remote.NodeDeviceNumOfCapsArgs) -> remote.NodeDeviceNumOfCapsRet:
        return remote.NodeDeviceNumOfCapsRet(num=len(self._device(call, args.name).caps))

    @implements(remote.NODE_DEVICE_LIST_CAPS)
    async def list_caps(self, call: Call, args: remote.NodeDeviceListCapsArgs) -> remote.NodeDeviceListCapsRet:
        return remote.NodeDeviceListCapsRet(names=self._device(call, args.name).caps)

    def _device(self, call: Call, name: str) -> DeviceThing:
        detail = f"no node device with matching name '{name}'"
        device = only(self.devices, ErrorCode.NO_NODE_DEVICE, detail, lambda device: device.name == name)
        call.authorize(device)
        return device

    def _devices(self, call: Call, cap: str | None) -> list[str]:
        return [device.name for device in call.visible(self.devices) if cap is None or cap in device.caps]
