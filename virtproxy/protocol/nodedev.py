# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices of the host, and their events.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, NodeDevice, NonnullNodeDevice
from virtproxy.protocol.net import NonnullString, String
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Int, Max, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

NODE_DEVICE_LIST_MAX = 65536
NODE_DEVICE_CAPS_LIST_MAX = 65536


class NodeNumOfDevicesArgs(Struct):
    cap: String
    flags: UInt


class NodeNumOfDevicesRet(Struct):
    num: Int


NODE_NUM_OF_DEVICES = procedure(
    111, "NODE_NUM_OF_DEVICES", NodeNumOfDevicesArgs, NodeNumOfDevicesRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("connect:search_node_devices",), aclfilter=("node_device:getattr",),
    api="virNodeNumOfDevices", high_priority=True,
)


class NodeListDevicesArgs(Struct):
    cap: String
    maxnames: Int
    flags: UInt


class NodeListDevicesRet(Struct):
    names: Annotated[list[NonnullString], Max(NODE_DEVICE_LIST_MAX)]


NODE_LIST_DEVICES = procedure(
    112, "NODE_LIST_DEVICES", NodeListDevicesArgs, NodeListDevicesRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("connect:search_node_devices",), aclfilter=("node_device:getattr",),
    api="virNodeListDevices", high_priority=True,
)


class NodeDeviceLookupByNameArgs(Struct):
    name: NonnullString


class NodeDeviceLookupByNameRet(Struct):
    dev: NonnullNodeDevice


NODE_DEVICE_LOOKUP_BY_NAME = procedure(
    113, "NODE_DEVICE_LOOKUP_BY_NAME", NodeDeviceLookupByNameArgs, NodeDeviceLookupByNameRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:getattr",), api="virNodeDeviceLookupByName",
    high_priority=True,
)


class NodeDeviceGetXmlDescArgs(Struct):
    name: NonnullString
    flags: UInt


class NodeDeviceGetXmlDescRet(Struct):
    xml: NonnullString


NODE_DEVICE_GET_XML_DESC = procedure(
    114, "NODE_DEVICE_GET_XML_DESC", NodeDeviceGetXmlDescArgs, NodeDeviceGetXmlDescRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceGetXMLDesc",
)


class NodeDeviceGetParentArgs(Struct):
    name: NonnullString


class NodeDeviceGetParentRet(Struct):
    parent_name: String


NODE_DEVICE_GET_PARENT = procedure(
    115, "NODE_DEVICE_GET_PARENT", NodeDeviceGetParentArgs, NodeDeviceGetParentRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceGetParent",
    high_priority=True,
)


class NodeDeviceNumOfCapsArgs(Struct):
    name: NonnullString


class NodeDeviceNumOfCapsRet(Struct):
    num: Int


NODE_DEVICE_NUM_OF_CAPS = procedure(
    116, "NODE_DEVICE_NUM_OF_CAPS", NodeDeviceNumOfCapsArgs, NodeDeviceNumOfCapsRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceNumOfCaps",
    high_priority=True,
)


class NodeDeviceListCapsArgs(Struct):
    name: NonnullString
    maxnames: Int


class NodeDeviceListCapsRet(Struct):
    names: Annotated[list[NonnullString], Max(NODE_DEVICE_CAPS_LIST_MAX)]


NODE_DEVICE_LIST_CAPS = procedure(
    117, "NODE_DEVICE_LIST_CAPS", NodeDeviceListCapsArgs, NodeDeviceListCapsRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceListCaps", high_priority=True,
)


class NodeDeviceDettachArgs(Struct):
    name: NonnullString


NODE_DEVICE_DETTACH = procedure(
    118, "NODE_DEVICE_DETTACH", NodeDeviceDettachArgs, None,
    readonly=DENIED, acl=("node_device:detach",), api="virNodeDeviceDettach",
)


class NodeDeviceReAttachArgs(Struct):
    name: NonnullString


NODE_DEVICE_RE_ATTACH = procedure(
    119, "NODE_DEVICE_RE_ATTACH", NodeDeviceReAttachArgs, None,
    readonly=DENIED, acl=("node_device:detach",), api="virNodeDeviceReAttach",
)


class NodeDeviceResetArgs(Struct):
    name: NonnullString


NODE_DEVICE_RESET = procedure(
    120, "NODE_DEVICE_RESET", NodeDeviceResetArgs, None,
    readonly=DENIED, acl=("node_device:detach",), api="virNodeDeviceReset",
)


class NodeDeviceCreateXmlArgs(Struct):
    xml_desc: NonnullString
    flags: UInt


class NodeDeviceCreateXmlRet(Struct):
    dev: NonnullNodeDevice


NODE_DEVICE_CREATE_XML = procedure(
    123, "NODE_DEVICE_CREATE_XML", NodeDeviceCreateXmlArgs, NodeDeviceCreateXmlRet,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:write", "node_device:start"),
    api="virNodeDeviceCreateXML",
)


class NodeDeviceDestroyArgs(Struct):
    name: NonnullString


NODE_DEVICE_DESTROY = procedure(
    124, "NODE_DEVICE_DESTROY", NodeDeviceDestroyArgs, None,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:stop",), api="virNodeDeviceDestroy", high_priority=True,
)


class ConnectListAllNodeDevicesArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllNodeDevicesRet(Struct):
    devices: Annotated[list[NonnullNodeDevice], Max(NODE_DEVICE_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_NODE_DEVICES = procedure(
    285, "CONNECT_LIST_ALL_NODE_DEVICES", ConnectListAllNodeDevicesArgs, ConnectListAllNodeDevicesRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("connect:search_node_devices",), aclfilter=("node_device:getattr",),
    api="virConnectListAllNodeDevices", high_priority=True,
)


class NodeDeviceLookupScsiHostByWwnArgs(Struct):
    wwnn: NonnullString
    wwpn: NonnullString
    flags: UInt


class NodeDeviceLookupScsiHostByWwnRet(Struct):
    dev: NonnullNodeDevice


NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN = procedure(
    297, "NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN", NodeDeviceLookupScsiHostByWwnArgs, NodeDeviceLookupScsiHostByWwnRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:getattr",), api="virNodeDeviceLookupSCSIHostByWWN",
    high_priority=True,
)


class NodeDeviceDetachFlagsArgs(Struct):
    name: NonnullString
    driver_name: String
    flags: UInt


NODE_DEVICE_DETACH_FLAGS = procedure(
    301, "NODE_DEVICE_DETACH_FLAGS", NodeDeviceDetachFlagsArgs, None,
    readonly=DENIED, acl=("node_device:detach",), api="virNodeDeviceDetachFlags",
)


class ConnectNodeDeviceEventRegisterAnyArgs(Struct):
    event_id: Int
    dev: NodeDevice


class ConnectNodeDeviceEventRegisterAnyRet(Struct):
    callback_id: Int


CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY = procedure(
    374, "CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY",
    ConnectNodeDeviceEventRegisterAnyArgs, ConnectNodeDeviceEventRegisterAnyRet, family=Family.NODEDEV,
    edge="event-register", readonly=ALLOWED, acl=("connect:search_node_devices",), aclfilter=("node_device:getattr",),
    api="virConnectNodeDeviceEventRegisterAny", high_priority=True,
)


class ConnectNodeDeviceEventDeregisterAnyArgs(Struct):
    callback_id: Int


CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY = procedure(
    375, "CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY", ConnectNodeDeviceEventDeregisterAnyArgs, None,
    family=Family.NODEDEV, edge="event-deregister", readonly=ALLOWED, acl=("connect:read",),
    api="virConnectNodeDeviceEventDeregisterAny", high_priority=True,
)


class NodeDeviceEventLifecycleMsg(Struct):
    callback_id: Int
    dev: NonnullNodeDevice
    event: Int
    detail: Int


NODE_DEVICE_EVENT_LIFECYCLE = event(
    376, "NODE_DEVICE_EVENT_LIFECYCLE",
    NodeDeviceEventLifecycleMsg, family=Family.NODEDEV,
)


class NodeDeviceEventUpdateMsg(Struct):
    callback_id: Int
    dev: NonnullNodeDevice


NODE_DEVICE_EVENT_UPDATE = event(377, "NODE_DEVICE_EVENT_UPDATE", NodeDeviceEventUpdateMsg, family=Family.NODEDEV)


class NodeDeviceDefineXmlArgs(Struct):
    xml_desc: NonnullString
    flags: UInt


class NodeDeviceDefineXmlRet(Struct):
    dev: NonnullNodeDevice


NODE_DEVICE_DEFINE_XML = procedure(
    428, "NODE_DEVICE_DEFINE_XML", NodeDeviceDefineXmlArgs, NodeDeviceDefineXmlRet,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:write", "node_device:save"), api="virNodeDeviceDefineXML",
)


class NodeDeviceUndefineArgs(Struct):
    name: NonnullString
    flags: UInt


NODE_DEVICE_UNDEFINE = procedure(
    429, "NODE_DEVICE_UNDEFINE", NodeDeviceUndefineArgs, None,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:delete",), api="virNodeDeviceUndefine",
    high_priority=True,
)


class NodeDeviceCreateArgs(Struct):
    name: NonnullString
    flags: UInt


NODE_DEVICE_CREATE = procedure(
    430, "NODE_DEVICE_CREATE", NodeDeviceCreateArgs, None,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:start",), api="virNodeDeviceCreate", high_priority=True,
)


class NodeDeviceGetAutostartArgs(Struct):
    name: NonnullString


class NodeDeviceGetAutostartRet(Struct):
    autostart: Int


NODE_DEVICE_GET_AUTOSTART = procedure(
    433, "NODE_DEVICE_GET_AUTOSTART", NodeDeviceGetAutostartArgs, NodeDeviceGetAutostartRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceGetAutostart",
    high_priority=True,
)


class NodeDeviceSetAutostartArgs(Struct):
    name: NonnullString
    autostart: Int


NODE_DEVICE_SET_AUTOSTART = procedure(
    434, "NODE_DEVICE_SET_AUTOSTART", NodeDeviceSetAutostartArgs, None,
    family=Family.NODEDEV, readonly=DENIED, acl=("node_device:write",), api="virNodeDeviceSetAutostart",
    high_priority=True,
)


class NodeDeviceIsPersistentArgs(Struct):
    name: NonnullString


class NodeDeviceIsPersistentRet(Struct):
    persistent: Int


NODE_DEVICE_IS_PERSISTENT = procedure(
    435, "NODE_DEVICE_IS_PERSISTENT", NodeDeviceIsPersistentArgs, NodeDeviceIsPersistentRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceIsPersistent",
    high_priority=True,
)


class NodeDeviceIsActiveArgs(Struct):
    name: NonnullString


class NodeDeviceIsActiveRet(Struct):
    active: Int


NODE_DEVICE_IS_ACTIVE = procedure(
    436, "NODE_DEVICE_IS_ACTIVE", NodeDeviceIsActiveArgs, NodeDeviceIsActiveRet,
    family=Family.NODEDEV, readonly=ALLOWED, acl=("node_device:read",), api="virNodeDeviceIsActive", high_priority=True,
)


class NodeDeviceUpdateArgs(Struct):
    name: NonnullString
    xml_desc: NonnullString
    flags: UInt


NODE_DEVICE_UPDATE = procedure(
    447, "NODE_DEVICE_UPDATE", NodeDeviceUpdateArgs, None,
    family=Family.NODEDEV, readonly=DENIED,
    acl=(
        "node_device:write",
        "node_device:save:!VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG|VIR_NODE_DEVICE_UPDATE_AFFECT_LIVE",
        "node_device:save:VIR_NODE_DEVICE_UPDATE_AFFECT_CONFIG",
    ),
    api="virNodeDeviceUpdate", high_priority=True, since="11.3",
)
