# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's interface "eth1": looked up, listed, started, stopped, dropped."""

from __future__ import annotations

from virtproxy.driver import Call, ErrorCode, implements, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import INTERFACE
from virtproxy.drivers.test.thing import Thing, only, passes

LIST_FLAGS = 3


class InterfaceThing(Thing):
    """One host interface."""

    @property
    def mac(self) -> str:
        """Its address."""
        mac = self.root.find("mac")
        return "" if mac is None else mac.attributes.get("address", "")

    def ref(self) -> remote.NonnullInterface:
        """How the protocol names it."""
        return remote.NonnullInterface(name=self.name, mac=self.mac)


class Interfaces(TestHost):
    """The procedures of the interface family."""

    def reset(self) -> None:
        super().reset()
        self.interfaces = [InterfaceThing(INTERFACE)]

    @implements(remote.CONNECT_NUM_OF_INTERFACES)
    async def num_of_interfaces(self, call: Call, args: None) -> remote.ConnectNumOfInterfacesRet:
        return remote.ConnectNumOfInterfacesRet(num=len(self._interfaces(call, active=True)))

    @implements(remote.CONNECT_LIST_INTERFACES)
    async def list_interfaces(
        self, call: Call, args: remote.ConnectListInterfacesArgs
    ) -> remote.ConnectListInterfacesRet:
        return remote.ConnectListInterfacesRet(names=self._interfaces(call, active=True))

    @implements(remote.CONNECT_NUM_OF_DEFINED_INTERFACES)
    async def num_of_defined_interfaces(self, call: Call, args: None) -> remote.ConnectNumOfDefinedInterfacesRet:
        return remote.ConnectNumOfDefinedInterfacesRet(num=len(self._interfaces(call, active=False)))

    @implements(remote.CONNECT_LIST_DEFINED_INTERFACES)
    async def list_defined_interfaces(
        self, call: Call, args: remote.ConnectListDefinedInterfacesArgs
    ) -> remote.ConnectListDefinedInterfacesRet:
        return remote.ConnectListDefinedInterfacesRet(names=self._interfaces(call, active=False))

    @implements(remote.CONNECT_LIST_ALL_INTERFACES)
    async def list_all_interfaces(
        self, call: Call, args: remote.ConnectListAllInterfacesArgs
    ) -> remote.ConnectListAllInterfacesRet:
        call.check_flags(args.flags, LIST_FLAGS)
        found = [iface.ref() for iface in call.visible(self.interfaces) if passes(args.flags, ((2, 1, iface.active),))]
        return remote.ConnectListAllInterfacesRet(ifaces=found, ret=len(found))

    @implements(remote.INTERFACE_LOOKUP_BY_NAME)
    async def interface_by_name(
        self, call: Call, args: remote.InterfaceLookupByNameArgs
    ) -> remote.InterfaceLookupByNameRet:
        return remote.InterfaceLookupByNameRet(iface=self._interface(call, args.name).ref())

    @implements(remote.INTERFACE_LOOKUP_BY_MAC_STRING)
    async def interface_by_mac(
        self, call: Call, args: remote.InterfaceLookupByMacStringArgs
    ) -> remote.InterfaceLookupByMacStringRet:
        detail = f"no interface with matching mac '{args.mac}'"
        iface = only(self.interfaces, ErrorCode.NO_INTERFACE, detail, lambda iface: iface.mac == args.mac.lower())
        call.authorize(iface)
        return remote.InterfaceLookupByMacStringRet(iface=iface.ref())

    @implements(remote.INTERFACE_GET_XML_DESC)
    async def interface_xml(self, call: Call, args: remote.InterfaceGetXmlDescArgs) -> remote.InterfaceGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.InterfaceGetXmlDescRet(xml=self._interface(call, args.iface.name).xml)

    @implements(remote.INTERFACE_IS_ACTIVE)
    async def interface_active(self, call: Call, args: remote.InterfaceIsActiveArgs) -> remote.InterfaceIsActiveRet:
        return remote.InterfaceIsActiveRet(active=int(self._interface(call, args.iface.name).active))

    @implements(remote.INTERFACE_CREATE)
    async def interface_create(self, call: Call, args: remote.InterfaceCreateArgs) -> None:
        call.check_flags(args.flags)
        self._switch(call, args.iface.name, active=True)

    @implements(remote.INTERFACE_DESTROY)
    async def interface_destroy(self, call: Call, args: remote.InterfaceDestroyArgs) -> None:
        call.check_flags(args.flags)
        self._switch(call, args.iface.name, active=False)

    @implements(remote.INTERFACE_UNDEFINE)
    async def interface_undefine(self, call: Call, args: remote.InterfaceUndefineArgs) -> None:
        self.interfaces.remove(self._interface(call, args.iface.name))

    def _switch(self, call: Call, name: str, *, active: bool) -> None:
        iface = self._interface(call, name)
        if iface.active is active:
            raise call.error(ErrorCode.OPERATION_INVALID)
        iface.active = active

    def _interface(self, call: Call, name: str) -> InterfaceThing:
        detail = f"no interface with matching name '{name}'"
        iface = only(self.interfaces, ErrorCode.NO_INTERFACE, detail, lambda iface: iface.name == name)
        call.authorize(iface)
        return iface

    def _interfaces(self, call: Call, *, active: bool) -> list[str]:
        return [iface.name for iface in call.visible(self.interfaces) if iface.active is active]
