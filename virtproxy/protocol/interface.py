# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network interfaces of the host.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM
from virtproxy.protocol.net import NonnullString
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UInt

procedure = PROGRAM.procedure

INTERFACE_LIST_MAX = 16384


class NonnullInterface(Struct):
    name: NonnullString
    mac: NonnullString


class ConnectNumOfInterfacesRet(Struct):
    num: Int


CONNECT_NUM_OF_INTERFACES = procedure(
    126, "CONNECT_NUM_OF_INTERFACES", None, ConnectNumOfInterfacesRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("connect:search_interfaces",), aclfilter=("interface:getattr",),
    api="virConnectNumOfInterfaces", high_priority=True,
)


class ConnectListInterfacesArgs(Struct):
    maxnames: Int


class ConnectListInterfacesRet(Struct):
    names: Annotated[list[NonnullString], Max(INTERFACE_LIST_MAX)]


CONNECT_LIST_INTERFACES = procedure(
    127, "CONNECT_LIST_INTERFACES", ConnectListInterfacesArgs, ConnectListInterfacesRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("connect:search_interfaces",), aclfilter=("interface:getattr",),
    api="virConnectListInterfaces", high_priority=True,
)


class InterfaceLookupByNameArgs(Struct):
    name: NonnullString


class InterfaceLookupByNameRet(Struct):
    iface: NonnullInterface


INTERFACE_LOOKUP_BY_NAME = procedure(
    128, "INTERFACE_LOOKUP_BY_NAME", InterfaceLookupByNameArgs, InterfaceLookupByNameRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("interface:getattr",), api="virInterfaceLookupByName",
    high_priority=True,
)


class InterfaceLookupByMacStringArgs(Struct):
    mac: NonnullString


class InterfaceLookupByMacStringRet(Struct):
    iface: NonnullInterface


INTERFACE_LOOKUP_BY_MAC_STRING = procedure(
    129, "INTERFACE_LOOKUP_BY_MAC_STRING", InterfaceLookupByMacStringArgs, InterfaceLookupByMacStringRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("interface:getattr",), api="virInterfaceLookupByMACString",
    high_priority=True,
)


class InterfaceGetXmlDescArgs(Struct):
    iface: NonnullInterface
    flags: UInt


class InterfaceGetXmlDescRet(Struct):
    xml: NonnullString


INTERFACE_GET_XML_DESC = procedure(
    130, "INTERFACE_GET_XML_DESC", InterfaceGetXmlDescArgs, InterfaceGetXmlDescRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("interface:read",), api="virInterfaceGetXMLDesc",
)


class InterfaceDefineXmlArgs(Struct):
    xml: NonnullString
    flags: UInt


class InterfaceDefineXmlRet(Struct):
    iface: NonnullInterface


INTERFACE_DEFINE_XML = procedure(
    131, "INTERFACE_DEFINE_XML", InterfaceDefineXmlArgs, InterfaceDefineXmlRet,
    family=Family.INTERFACE, readonly=DENIED, acl=("interface:write", "interface:save"), api="virInterfaceDefineXML",
    high_priority=True,
)


class InterfaceUndefineArgs(Struct):
    iface: NonnullInterface


INTERFACE_UNDEFINE = procedure(
    132, "INTERFACE_UNDEFINE", InterfaceUndefineArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("interface:delete",), api="virInterfaceUndefine", high_priority=True,
)


class InterfaceCreateArgs(Struct):
    iface: NonnullInterface
    flags: UInt


INTERFACE_CREATE = procedure(
    133, "INTERFACE_CREATE", InterfaceCreateArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("interface:start",), api="virInterfaceCreate",
)


class InterfaceDestroyArgs(Struct):
    iface: NonnullInterface
    flags: UInt


INTERFACE_DESTROY = procedure(
    134, "INTERFACE_DESTROY", InterfaceDestroyArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("interface:stop",), api="virInterfaceDestroy", high_priority=True,
)


class ConnectNumOfDefinedInterfacesRet(Struct):
    num: Int


CONNECT_NUM_OF_DEFINED_INTERFACES = procedure(
    137, "CONNECT_NUM_OF_DEFINED_INTERFACES", None, ConnectNumOfDefinedInterfacesRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("connect:search_interfaces",), aclfilter=("interface:getattr",),
    api="virConnectNumOfDefinedInterfaces", high_priority=True,
)


class ConnectListDefinedInterfacesArgs(Struct):
    maxnames: Int


class ConnectListDefinedInterfacesRet(Struct):
    names: Annotated[list[NonnullString], Max(INTERFACE_LIST_MAX)]


CONNECT_LIST_DEFINED_INTERFACES = procedure(
    138, "CONNECT_LIST_DEFINED_INTERFACES", ConnectListDefinedInterfacesArgs, ConnectListDefinedInterfacesRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("connect:search_interfaces",), aclfilter=("interface:getattr",),
    api="virConnectListDefinedInterfaces", high_priority=True,
)


class InterfaceIsActiveArgs(Struct):
    iface: NonnullInterface


class InterfaceIsActiveRet(Struct):
    active: Int


INTERFACE_IS_ACTIVE = procedure(
    156, "INTERFACE_IS_ACTIVE", InterfaceIsActiveArgs, InterfaceIsActiveRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("interface:read",), api="virInterfaceIsActive", high_priority=True,
)


class InterfaceChangeBeginArgs(Struct):
    flags: UInt


INTERFACE_CHANGE_BEGIN = procedure(
    220, "INTERFACE_CHANGE_BEGIN", InterfaceChangeBeginArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("connect:interface_transaction",), api="virInterfaceChangeBegin",
)


class InterfaceChangeCommitArgs(Struct):
    flags: UInt


INTERFACE_CHANGE_COMMIT = procedure(
    221, "INTERFACE_CHANGE_COMMIT", InterfaceChangeCommitArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("connect:interface_transaction",), api="virInterfaceChangeCommit",
)


class InterfaceChangeRollbackArgs(Struct):
    flags: UInt


INTERFACE_CHANGE_ROLLBACK = procedure(
    222, "INTERFACE_CHANGE_ROLLBACK", InterfaceChangeRollbackArgs, None,
    family=Family.INTERFACE, readonly=DENIED, acl=("connect:interface_transaction",), api="virInterfaceChangeRollback",
)


class ConnectListAllInterfacesArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllInterfacesRet(Struct):
    ifaces: Annotated[list[NonnullInterface], Max(INTERFACE_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_INTERFACES = procedure(
    284, "CONNECT_LIST_ALL_INTERFACES", ConnectListAllInterfacesArgs, ConnectListAllInterfacesRet,
    family=Family.INTERFACE, readonly=ALLOWED, acl=("connect:search_interfaces",), aclfilter=("interface:getattr",),
    api="virConnectListAllInterfaces", high_priority=True,
)
