# SPDX-License-Identifier: LGPL-2.1-or-later
"""Virtual networks, their ports, leases and events.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.common import PROGRAM, Network, NonnullNetwork, NonnullNetworkPort, TypedParam
from virtproxy.protocol.net import NonnullString, String, Uuid
from virtproxy.protocol.schema import ALLOWED, DENIED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Int, Max, UInt

procedure = PROGRAM.procedure
event = PROGRAM.event

NETWORK_LIST_MAX = 16384
NETWORK_PORT_LIST_MAX = 16384
NETWORK_DHCP_LEASES_MAX = 65536
NETWORK_PORT_PARAMETERS_MAX = 16


class NetworkDhcpLease(Struct):
    iface: NonnullString
    expirytime: Hyper
    type: Int
    mac: String
    iaid: String
    ipaddr: NonnullString
    prefix: UInt
    hostname: String
    clientid: String


class ConnectListDefinedNetworksArgs(Struct):
    maxnames: Int


class ConnectListDefinedNetworksRet(Struct):
    names: Annotated[list[NonnullString], Max(NETWORK_LIST_MAX)]


CONNECT_LIST_DEFINED_NETWORKS = procedure(
    36, "CONNECT_LIST_DEFINED_NETWORKS", ConnectListDefinedNetworksArgs, ConnectListDefinedNetworksRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("connect:search_networks",), aclfilter=("network:getattr",),
    api="virConnectListDefinedNetworks", high_priority=True,
)


class ConnectListNetworksArgs(Struct):
    maxnames: Int


class ConnectListNetworksRet(Struct):
    names: Annotated[list[NonnullString], Max(NETWORK_LIST_MAX)]


CONNECT_LIST_NETWORKS = procedure(
    38, "CONNECT_LIST_NETWORKS", ConnectListNetworksArgs, ConnectListNetworksRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("connect:search_networks",), aclfilter=("network:getattr",),
    api="virConnectListNetworks", high_priority=True,
)


class NetworkCreateArgs(Struct):
    net: NonnullNetwork


NETWORK_CREATE = procedure(
    39, "NETWORK_CREATE", NetworkCreateArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network:start",), api="virNetworkCreate",
)


class NetworkCreateXmlArgs(Struct):
    xml: NonnullString


class NetworkCreateXmlRet(Struct):
    net: NonnullNetwork


NETWORK_CREATE_XML = procedure(
    40, "NETWORK_CREATE_XML", NetworkCreateXmlArgs, NetworkCreateXmlRet,
    family=Family.NETWORK, readonly=DENIED, acl=("network:write", "network:start"), api="virNetworkCreateXML",
)


class NetworkDefineXmlArgs(Struct):
    xml: NonnullString


class NetworkDefineXmlRet(Struct):
    net: NonnullNetwork


NETWORK_DEFINE_XML = procedure(
    41, "NETWORK_DEFINE_XML", NetworkDefineXmlArgs, NetworkDefineXmlRet,
    family=Family.NETWORK, readonly=DENIED, acl=("network:write", "network:save"), api="virNetworkDefineXML",
    high_priority=True,
)


class NetworkDestroyArgs(Struct):
    net: NonnullNetwork


NETWORK_DESTROY = procedure(
    42, "NETWORK_DESTROY", NetworkDestroyArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network:stop",), api="virNetworkDestroy", high_priority=True,
)


class NetworkGetXmlDescArgs(Struct):
    net: NonnullNetwork
    flags: UInt


class NetworkGetXmlDescRet(Struct):
    xml: NonnullString


NETWORK_GET_XML_DESC = procedure(
    43, "NETWORK_GET_XML_DESC", NetworkGetXmlDescArgs, NetworkGetXmlDescRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkGetXMLDesc", high_priority=True,
)


class NetworkGetAutostartArgs(Struct):
    net: NonnullNetwork


class NetworkGetAutostartRet(Struct):
    autostart: Int


NETWORK_GET_AUTOSTART = procedure(
    44, "NETWORK_GET_AUTOSTART", NetworkGetAutostartArgs, NetworkGetAutostartRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkGetAutostart", high_priority=True,
)


class NetworkGetBridgeNameArgs(Struct):
    net: NonnullNetwork


class NetworkGetBridgeNameRet(Struct):
    name: NonnullString


NETWORK_GET_BRIDGE_NAME = procedure(
    45, "NETWORK_GET_BRIDGE_NAME", NetworkGetBridgeNameArgs, NetworkGetBridgeNameRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkGetBridgeName", high_priority=True,
)


class NetworkLookupByNameArgs(Struct):
    name: NonnullString


class NetworkLookupByNameRet(Struct):
    net: NonnullNetwork


NETWORK_LOOKUP_BY_NAME = procedure(
    46, "NETWORK_LOOKUP_BY_NAME", NetworkLookupByNameArgs, NetworkLookupByNameRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:getattr",), api="virNetworkLookupByName", high_priority=True,
)


class NetworkLookupByUuidArgs(Struct):
    uuid: Uuid


class NetworkLookupByUuidRet(Struct):
    net: NonnullNetwork


NETWORK_LOOKUP_BY_UUID = procedure(
    47, "NETWORK_LOOKUP_BY_UUID", NetworkLookupByUuidArgs, NetworkLookupByUuidRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:getattr",), api="virNetworkLookupByUUID", high_priority=True,
)


class NetworkSetAutostartArgs(Struct):
    net: NonnullNetwork
    autostart: Int


NETWORK_SET_AUTOSTART = procedure(
    48, "NETWORK_SET_AUTOSTART", NetworkSetAutostartArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network:write",), api="virNetworkSetAutostart", high_priority=True,
)


class NetworkUndefineArgs(Struct):
    net: NonnullNetwork


NETWORK_UNDEFINE = procedure(
    49, "NETWORK_UNDEFINE", NetworkUndefineArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network:delete",), api="virNetworkUndefine", high_priority=True,
)


class ConnectNumOfDefinedNetworksRet(Struct):
    num: Int


CONNECT_NUM_OF_DEFINED_NETWORKS = procedure(
    50, "CONNECT_NUM_OF_DEFINED_NETWORKS", None, ConnectNumOfDefinedNetworksRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("connect:search_networks",), aclfilter=("network:getattr",),
    api="virConnectNumOfDefinedNetworks", high_priority=True,
)


class ConnectNumOfNetworksRet(Struct):
    num: Int


CONNECT_NUM_OF_NETWORKS = procedure(
    52, "CONNECT_NUM_OF_NETWORKS", None, ConnectNumOfNetworksRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("connect:search_networks",), aclfilter=("network:getattr",),
    api="virConnectNumOfNetworks", high_priority=True,
)


class NetworkIsActiveArgs(Struct):
    net: NonnullNetwork


class NetworkIsActiveRet(Struct):
    active: Int


NETWORK_IS_ACTIVE = procedure(
    152, "NETWORK_IS_ACTIVE", NetworkIsActiveArgs, NetworkIsActiveRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkIsActive", high_priority=True,
)


class NetworkIsPersistentArgs(Struct):
    net: NonnullNetwork


class NetworkIsPersistentRet(Struct):
    persistent: Int


NETWORK_IS_PERSISTENT = procedure(
    153, "NETWORK_IS_PERSISTENT", NetworkIsPersistentArgs, NetworkIsPersistentRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkIsPersistent", high_priority=True,
)


class ConnectListAllNetworksArgs(Struct):
    need_results: Int
    flags: UInt


class ConnectListAllNetworksRet(Struct):
    nets: Annotated[list[NonnullNetwork], Max(NETWORK_LIST_MAX)]
    ret: UInt


CONNECT_LIST_ALL_NETWORKS = procedure(
    283, "CONNECT_LIST_ALL_NETWORKS", ConnectListAllNetworksArgs, ConnectListAllNetworksRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("connect:search_networks",), aclfilter=("network:getattr",),
    api="virConnectListAllNetworks", high_priority=True,
)


class NetworkUpdateArgs(Struct):
    net: NonnullNetwork
    command: UInt
    section: UInt
    parent_index: Int
    xml: NonnullString
    flags: UInt


NETWORK_UPDATE = procedure(
    291, "NETWORK_UPDATE", NetworkUpdateArgs, None,
    family=Family.NETWORK, readonly=DENIED,
    acl=(
        "network:write",
        "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
        "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
    ),
    api="virNetworkUpdate", high_priority=True,
)


class ConnectNetworkEventRegisterAnyArgs(Struct):
    event_id: Int
    net: Network


class ConnectNetworkEventRegisterAnyRet(Struct):
    callback_id: Int


CONNECT_NETWORK_EVENT_REGISTER_ANY = procedure(
    313, "CONNECT_NETWORK_EVENT_REGISTER_ANY", ConnectNetworkEventRegisterAnyArgs, ConnectNetworkEventRegisterAnyRet,
    family=Family.NETWORK, edge="event-register", readonly=ALLOWED, acl=("connect:search_networks",),
    aclfilter=("network:getattr",), api="virConnectNetworkEventRegisterAny", high_priority=True,
)


class ConnectNetworkEventDeregisterAnyArgs(Struct):
    callback_id: Int


CONNECT_NETWORK_EVENT_DEREGISTER_ANY = procedure(
    314, "CONNECT_NETWORK_EVENT_DEREGISTER_ANY", ConnectNetworkEventDeregisterAnyArgs, None,
    family=Family.NETWORK, edge="event-deregister", readonly=ALLOWED, acl=("connect:read",),
    api="virConnectNetworkEventDeregisterAny", high_priority=True,
)


class NetworkEventLifecycleMsg(Struct):
    callback_id: Int
    net: NonnullNetwork
    event: Int
    detail: Int


NETWORK_EVENT_LIFECYCLE = event(315, "NETWORK_EVENT_LIFECYCLE", NetworkEventLifecycleMsg, family=Family.NETWORK)


class NetworkGetDhcpLeasesArgs(Struct):
    net: NonnullNetwork
    mac: String
    need_results: Int
    flags: UInt


class NetworkGetDhcpLeasesRet(Struct):
    leases: Annotated[list[NetworkDhcpLease], Max(NETWORK_DHCP_LEASES_MAX)]
    ret: UInt


NETWORK_GET_DHCP_LEASES = procedure(
    341, "NETWORK_GET_DHCP_LEASES", NetworkGetDhcpLeasesArgs, NetworkGetDhcpLeasesRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkGetDHCPLeases",
)


class NetworkListAllPortsArgs(Struct):
    network: NonnullNetwork
    need_results: Int
    flags: UInt


class NetworkListAllPortsRet(Struct):
    ports: Annotated[list[NonnullNetworkPort], Max(NETWORK_PORT_LIST_MAX)]
    ret: UInt


NETWORK_LIST_ALL_PORTS = procedure(
    404, "NETWORK_LIST_ALL_PORTS", NetworkListAllPortsArgs, NetworkListAllPortsRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:search_ports",), aclfilter=("network_port:getattr",),
    api="virNetworkListAllPorts", high_priority=True,
)


class NetworkPortLookupByUuidArgs(Struct):
    network: NonnullNetwork
    uuid: Uuid


class NetworkPortLookupByUuidRet(Struct):
    port: NonnullNetworkPort


NETWORK_PORT_LOOKUP_BY_UUID = procedure(
    405, "NETWORK_PORT_LOOKUP_BY_UUID", NetworkPortLookupByUuidArgs, NetworkPortLookupByUuidRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network_port:getattr",), api="virNetworkPortLookupByUUID",
    high_priority=True,
)


class NetworkPortCreateXmlArgs(Struct):
    network: NonnullNetwork
    xml: NonnullString
    flags: UInt


class NetworkPortCreateXmlRet(Struct):
    port: NonnullNetworkPort


NETWORK_PORT_CREATE_XML = procedure(
    406, "NETWORK_PORT_CREATE_XML", NetworkPortCreateXmlArgs, NetworkPortCreateXmlRet,
    family=Family.NETWORK, readonly=DENIED, acl=("network_port:create",), api="virNetworkPortCreateXML",
)


class NetworkPortGetParametersArgs(Struct):
    port: NonnullNetworkPort
    nparams: Int
    flags: UInt


class NetworkPortGetParametersRet(Struct):
    params: Annotated[list[TypedParam], Max(NETWORK_PORT_PARAMETERS_MAX)]
    nparams: Int


NETWORK_PORT_GET_PARAMETERS = procedure(
    407, "NETWORK_PORT_GET_PARAMETERS", NetworkPortGetParametersArgs, NetworkPortGetParametersRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network_port:read",), api="virNetworkPortGetParameters",
)


class NetworkPortSetParametersArgs(Struct):
    port: NonnullNetworkPort
    params: Annotated[list[TypedParam], Max(NETWORK_PORT_PARAMETERS_MAX)]
    flags: UInt


NETWORK_PORT_SET_PARAMETERS = procedure(
    408, "NETWORK_PORT_SET_PARAMETERS", NetworkPortSetParametersArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network_port:write",), api="virNetworkPortSetParameters",
)


class NetworkPortGetXmlDescArgs(Struct):
    port: NonnullNetworkPort
    flags: UInt


class NetworkPortGetXmlDescRet(Struct):
    xml: NonnullString


NETWORK_PORT_GET_XML_DESC = procedure(
    409, "NETWORK_PORT_GET_XML_DESC", NetworkPortGetXmlDescArgs, NetworkPortGetXmlDescRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network_port:read",), api="virNetworkPortGetXMLDesc",
)


class NetworkPortDeleteArgs(Struct):
    port: NonnullNetworkPort
    flags: UInt


NETWORK_PORT_DELETE = procedure(
    410, "NETWORK_PORT_DELETE", NetworkPortDeleteArgs, None,
    family=Family.NETWORK, readonly=DENIED, acl=("network_port:delete",), api="virNetworkPortDelete",
)


class NetworkDefineXmlFlagsArgs(Struct):
    xml: NonnullString
    flags: UInt


class NetworkDefineXmlFlagsRet(Struct):
    net: NonnullNetwork


NETWORK_DEFINE_XML_FLAGS = procedure(
    432, "NETWORK_DEFINE_XML_FLAGS", NetworkDefineXmlFlagsArgs, NetworkDefineXmlFlagsRet,
    family=Family.NETWORK, readonly=DENIED, acl=("network:write", "network:save"), api="virNetworkDefineXMLFlags",
    high_priority=True,
)


class NetworkCreateXmlFlagsArgs(Struct):
    xml: NonnullString
    flags: UInt


class NetworkCreateXmlFlagsRet(Struct):
    net: NonnullNetwork


NETWORK_CREATE_XML_FLAGS = procedure(
    437, "NETWORK_CREATE_XML_FLAGS", NetworkCreateXmlFlagsArgs, NetworkCreateXmlFlagsRet,
    family=Family.NETWORK, readonly=DENIED, acl=("network:write", "network:start"), api="virNetworkCreateXMLFlags",
    high_priority=True,
)


class NetworkSetMetadataArgs(Struct):
    network: NonnullNetwork
    type: Int
    metadata: String
    key: String
    uri: String
    flags: UInt


NETWORK_SET_METADATA = procedure(
    444, "NETWORK_SET_METADATA", NetworkSetMetadataArgs, None,
    family=Family.NETWORK, readonly=DENIED,
    acl=(
        "network:write",
        "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
        "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
    ),
    api="virNetworkSetMetadata", since="11.3",
)


class NetworkGetMetadataArgs(Struct):
    network: NonnullNetwork
    type: Int
    uri: String
    flags: UInt


class NetworkGetMetadataRet(Struct):
    metadata: NonnullString


NETWORK_GET_METADATA = procedure(
    445, "NETWORK_GET_METADATA", NetworkGetMetadataArgs, NetworkGetMetadataRet,
    family=Family.NETWORK, readonly=ALLOWED, acl=("network:read",), api="virNetworkGetMetadata", since="11.3",
)


class NetworkEventCallbackMetadataChangeMsg(Struct):
    callback_id: Int
    net: NonnullNetwork
    type: Int
    nsuri: String


NETWORK_EVENT_CALLBACK_METADATA_CHANGE = event(
    446, "NETWORK_EVENT_CALLBACK_METADATA_CHANGE",
    NetworkEventCallbackMetadataChangeMsg, family=Family.NETWORK, since="11.3",
)
