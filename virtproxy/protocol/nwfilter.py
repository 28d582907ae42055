# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network filters and their bindings.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NonnullNwfilter, NonnullNwfilterBinding
from virtproxy.protocol.net import NonnullString, Uuid
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UInt

procedure = PROGRAM.procedure

NWFILTER_LIST_MAX = 16384
NWFILTER_BINDING_LIST_MAX = 16384


class NwfilterLookupByNameArgs(Struct):
    name: NonnullString


class NwfilterLookupByNameRet(Struct):
    nwfilter: NonnullNwfilter


NWFILTER_LOOKUP_BY_NAME = procedure(
    175, "NWFILTER_LOOKUP_BY_NAME", NwfilterLookupByNameArgs, NwfilterLookupByNameRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("nwfilter:getattr",), api="virNWFilterLookupByName",
    high_priority=True,
)


class NwfilterLookupByUuidArgs(Struct):
    uuid: Uuid


class NwfilterLookupByUuidRet(Struct):
    nwfilter: NonnullNwfilter


NWFILTER_LOOKUP_BY_UUID = procedure(
    176, "NWFILTER_LOOKUP_BY_UUID", NwfilterLookupByUuidArgs, NwfilterLookupByUuidRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("nwfilter:getattr",), api="virNWFilterLookupByUUID",
    high_priority=True,
)


class NwfilterGetXmlDescArgs(Struct):
    nwfilter: NonnullNwfilter
    flags: UInt


class NwfilterGetXmlDescRet(Struct):
    xml: NonnullString


NWFILTER_GET_XML_DESC = procedure(
    177, "NWFILTER_GET_XML_DESC", NwfilterGetXmlDescArgs, NwfilterGetXmlDescRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("nwfilter:read",), api="virNWFilterGetXMLDesc", high_priority=True,
)


class ConnectNumOfNwfiltersRet(Struct):
    num: Int


CONNECT_NUM_OF_NWFILTERS = procedure(
    178, "CONNECT_NUM_OF_NWFILTERS", None, ConnectNumOfNwfiltersRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("connect:search_nwfilters",), aclfilter=("nwfilter:getattr",),
    api="virConnectNumOfNWFilters", high_priority=True,
)


class ConnectListNwfiltersArgs(Struct):
    maxnames: Int


class ConnectListNwfiltersRet(Struct):
    names: Annotated[list[NonnullString], Max(NWFILTER_LIST_MAX)]


CONNECT_LIST_NWFILTERS = procedure(
    179, "CONNECT_LIST_NWFILTERS", ConnectListNwfiltersArgs, ConnectListNwfiltersRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("connect:search_nwfilters",), aclfilter=("nwfilter:getattr",),
    api="virConnectListNWFilters", high_priority=True,
)


class NwfilterDefineXmlArgs(Struct):
    xml: NonnullString


class NwfilterDefineXmlRet(Struct):
    nwfilter: NonnullNwfilter


NWFILTER_DEFINE_XML = procedure(
    180, "NWFILTER_DEFINE_XML", NwfilterDefineXmlArgs, NwfilterDefineXmlRet,
    family=Family.NWFILTER, readonly=DENIED, acl=("nwfilter:write", "nwfilter:save"), api="virNWFilterDefineXML",
    high_priority=True,
)


class NwfilterUndefineArgs(Struct):
    nwfilter: NonnullNwfilter


NWFILTER_UNDEFINE = procedure(
    181, "NWFILTER_UNDEFINE", NwfilterUndefineArgs, None,
    family=Family.NWFILTER, readonly=DENIED, acl=("nwfilter:delete",), api="virNWFilterUndefine", high_priority=True,
)


class ConnectListAllNwfiltersArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllNwfiltersRet(Struct):
    filters: Annotated[list[NonnullNwfilter], Max(NWFILTER_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_NWFILTERS = procedure(
    286, "CONNECT_LIST_ALL_NWFILTERS", ConnectListAllNwfiltersArgs, ConnectListAllNwfiltersRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("connect:search_nwfilters",), aclfilter=("nwfilter:getattr",),
    api="virConnectListAllNWFilters", high_priority=True,
)


class NwfilterBindingLookupByPortDevArgs(Struct):
    name: NonnullString


class NwfilterBindingLookupByPortDevRet(Struct):
    nwfilter: NonnullNwfilterBinding


NWFILTER_BINDING_LOOKUP_BY_PORT_DEV = procedure(
    397, "NWFILTER_BINDING_LOOKUP_BY_PORT_DEV", NwfilterBindingLookupByPortDevArgs, NwfilterBindingLookupByPortDevRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("nwfilter_binding:getattr",),
    api="virNWFilterBindingLookupByPortDev", high_priority=True,
)


class NwfilterBindingGetXmlDescArgs(Struct):
    nwfilter: NonnullNwfilterBinding
    flags: UInt


class NwfilterBindingGetXmlDescRet(Struct):
    xml: NonnullString


NWFILTER_BINDING_GET_XML_DESC = procedure(
    398, "NWFILTER_BINDING_GET_XML_DESC", NwfilterBindingGetXmlDescArgs, NwfilterBindingGetXmlDescRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("nwfilter_binding:read",), api="virNWFilterBindingGetXMLDesc",
    high_priority=True,
)


class NwfilterBindingCreateXmlArgs(Struct):
    xml: NonnullString
    flags: UInt


class NwfilterBindingCreateXmlRet(Struct):
    nwfilter: NonnullNwfilterBinding


NWFILTER_BINDING_CREATE_XML = procedure(
    399, "NWFILTER_BINDING_CREATE_XML", NwfilterBindingCreateXmlArgs, NwfilterBindingCreateXmlRet,
    family=Family.NWFILTER, readonly=DENIED, acl=("nwfilter_binding:create",), api="virNWFilterBindingCreateXML",
    high_priority=True,
)


class NwfilterBindingDeleteArgs(Struct):
    nwfilter: NonnullNwfilterBinding


NWFILTER_BINDING_DELETE = procedure(
    400, "NWFILTER_BINDING_DELETE", NwfilterBindingDeleteArgs, None,
    family=Family.NWFILTER, readonly=DENIED, acl=("nwfilter_binding:delete",), api="virNWFilterBindingDelete",
    high_priority=True,
)


class ConnectListAllNwfilterBindingsArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllNwfilterBindingsRet(Struct):
    bindings: Annotated[list[NonnullNwfilterBinding], Max(NWFILTER_BINDING_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_NWFILTER_BINDINGS = procedure(
    401, "CONNECT_LIST_ALL_NWFILTER_BINDINGS", ConnectListAllNwfilterBindingsArgs, ConnectListAllNwfilterBindingsRet,
    family=Family.NWFILTER, readonly=ALLOWED, acl=("connect:search_nwfilter_bindings",),
    aclfilter=("nwfilter_binding:getattr",), api="virConnectListAllNWFilterBindings", high_priority=True,
)


class NwfilterDefineXmlFlagsArgs(Struct):
    xml: NonnullString
    flags: UInt


class NwfilterDefineXmlFlagsRet(Struct):
    nwfilter: NonnullNwfilter


NWFILTER_DEFINE_XML_FLAGS = procedure(
    431, "NWFILTER_DEFINE_XML_FLAGS", NwfilterDefineXmlFlagsArgs, NwfilterDefineXmlFlagsRet,
    family=Family.NWFILTER, readonly=DENIED, acl=("nwfilter:write", "nwfilter:save"), api="virNWFilterDefineXMLFlags",
    high_priority=True,
)
