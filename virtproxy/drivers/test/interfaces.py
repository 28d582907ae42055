# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pretended host's interfaces: defined, started, stopped, dropped, and changes taken back as a whole."""

from __future__ import annotations

from virtproxy.documents.interface import InterfaceDocument, parse
from virtproxy.documents.validate import validate
from virtproxy.driver import Call, ErrorCode, ErrorDomain, ListFlags, Objects, either, implements, kinds, remote
from virtproxy.drivers.test.host import TestHost
from virtproxy.drivers.test.initial import INTERFACE
from virtproxy.drivers.test.thing import invalid

LIST_FLAGS = 3
VALIDATE = 1


class InterfaceThing:
    """One host interface."""

    def __init__(self, document: InterfaceDocument, *, active: bool = False) -> None:
        self.name = document.name
        self.uuid = b""
        self.document = document
        self.active = active

    def ref(self) -> remote.NonnullInterface:
        """How the protocol names it."""
        return remote.NonnullInterface(name=self.name, mac=self.document.mac or "")


LISTED: ListFlags[InterfaceThing] = ListFlags(either(2, 1, lambda iface: iface.active))


class Interfaces(TestHost):
    """The procedures of the interface family."""

    def reset(self) -> None:
        super().reset()
        self.interfaces.add(InterfaceThing(parse(INTERFACE), active=True))

    def empty(self) -> None:
        super().empty()
        self.interfaces = _table([])
        # The interfaces as they were when the transaction began, or None without one.
        self._before: list[InterfaceThing] | None = None

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
        found = [iface.ref() for iface in LISTED.select(call.visible(self.interfaces), args.flags)]
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
        found = [iface for iface in self.interfaces if (iface.document.mac or "").lower() == args.mac.lower()]
        if not found:
            raise self.interfaces.kind.absent_with("mac", args.mac)
        call.authorize(found[0])
        if len(found) > 1:
            raise call.error(ErrorCode.MULTIPLE_INTERFACES)
        return remote.InterfaceLookupByMacStringRet(iface=found[0].ref())

    @implements(remote.INTERFACE_GET_XML_DESC)
    async def interface_xml(self, call: Call, args: remote.InterfaceGetXmlDescArgs) -> remote.InterfaceGetXmlDescRet:
        call.check_flags(args.flags)
        return remote.InterfaceGetXmlDescRet(xml=self._interface(call, args.iface.name).document.format())

    @implements(remote.INTERFACE_IS_ACTIVE)
    async def interface_active(self, call: Call, args: remote.InterfaceIsActiveArgs) -> remote.InterfaceIsActiveRet:
        return remote.InterfaceIsActiveRet(active=int(self._interface(call, args.iface.name).active))

    # Changing

    @implements(remote.INTERFACE_DEFINE_XML)
    async def interface_define(self, call: Call, args: remote.InterfaceDefineXmlArgs) -> remote.InterfaceDefineXmlRet:
        call.check_flags(args.flags, VALIDATE)
        if args.flags & VALIDATE:
            validate(args.xml, "interface")
        document = parse(args.xml)
        iface = self.interfaces.get(name=document.name)
        call.authorize(iface or InterfaceThing(document))
        if iface is None:
            iface = self.interfaces.add(InterfaceThing(document))
        iface.document = document
        return remote.InterfaceDefineXmlRet(iface=iface.ref())

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

    @implements(remote.INTERFACE_CHANGE_BEGIN)
    async def change_begin(self, call: Call, args: remote.InterfaceChangeBeginArgs) -> None:
        call.check_flags(args.flags)
        if self._before is not None:
            raise invalid("there is another transaction running.")
        # They come back stopped, as with libvirt's driver.
        self._before = [InterfaceThing(iface.document.copy()) for iface in self.interfaces]

    @implements(remote.INTERFACE_CHANGE_COMMIT)
    async def change_commit(self, call: Call, args: remote.InterfaceChangeCommitArgs) -> None:
        call.check_flags(args.flags)
        if self._before is None:
            raise invalid("no transaction running, nothing to be committed.")
        self._before = None

    @implements(remote.INTERFACE_CHANGE_ROLLBACK)
    async def change_rollback(self, call: Call, args: remote.InterfaceChangeRollbackArgs) -> None:
        call.check_flags(args.flags)
        if self._before is None:
            raise invalid("no transaction running, nothing to rollback.")
        self.interfaces, self._before = _table(self._before), None

    # Around them

    def _switch(self, call: Call, name: str, *, active: bool) -> None:
        iface = self._interface(call, name)
        if iface.active is active:
            raise call.error(ErrorCode.OPERATION_INVALID)
        iface.active = active

    def _interface(self, call: Call, name: str) -> InterfaceThing:
        iface = self.interfaces.by_name(name)
        call.authorize(iface)
        return iface

    def _interfaces(self, call: Call, *, active: bool) -> list[str]:
        return [iface.name for iface in call.visible(self.interfaces) if iface.active is active]


def _table(interfaces: list[InterfaceThing]) -> Objects[InterfaceThing]:
    table: Objects[InterfaceThing] = Objects(kinds.INTERFACES.of(ErrorDomain.TEST))
    for iface in interfaces:
        table.add(iface)
    return table
