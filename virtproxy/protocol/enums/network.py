# SPDX-License-Identifier: LGPL-2.1-or-later
"""Virtual networks.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class NetworkXMLFlags(IntFlag):
    """virNetworkXMLFlags: VIR_NETWORK_XML_*."""

    INACTIVE = 1 << 0


class ConnectListAllNetworksFlags(IntFlag):
    """virConnectListAllNetworksFlags: VIR_CONNECT_LIST_NETWORKS_*."""

    INACTIVE = 1 << 0
    ACTIVE = 1 << 1
    PERSISTENT = 1 << 2
    TRANSIENT = 1 << 3
    AUTOSTART = 1 << 4
    NO_AUTOSTART = 1 << 5


class NetworkCreateFlags(IntFlag):
    """virNetworkCreateFlags: VIR_NETWORK_CREATE_*."""

    VALIDATE = 1 << 0


class NetworkDefineFlags(IntFlag):
    """virNetworkDefineFlags: VIR_NETWORK_DEFINE_*."""

    VALIDATE = 1 << 0


class NetworkUpdateCommand(IntEnum):
    """virNetworkUpdateCommand: VIR_NETWORK_UPDATE_COMMAND_*."""

    NONE = 0
    MODIFY = 1
    DELETE = 2
    ADD_LAST = 3
    ADD_FIRST = 4


class NetworkUpdateSection(IntEnum):
    """virNetworkUpdateSection: VIR_NETWORK_SECTION_*."""

    NONE = 0
    BRIDGE = 1
    DOMAIN = 2
    IP = 3
    IP_DHCP_HOST = 4
    IP_DHCP_RANGE = 5
    FORWARD = 6
    FORWARD_INTERFACE = 7
    FORWARD_PF = 8
    PORTGROUP = 9
    DNS_HOST = 10
    DNS_TXT = 11
    DNS_SRV = 12


class NetworkUpdateFlags(IntFlag):
    """virNetworkUpdateFlags: VIR_NETWORK_UPDATE_AFFECT_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1


class NetworkEventLifecycleType(IntEnum):
    """virNetworkEventLifecycleType: VIR_NETWORK_EVENT_*."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    STOPPED = 3


class NetworkEventID(IntEnum):
    """virNetworkEventID: VIR_NETWORK_EVENT_ID_*."""

    LIFECYCLE = 0
    METADATA_CHANGE = 1


class IPAddrType(IntEnum):
    """virIPAddrType: VIR_IP_ADDR_TYPE_*."""

    IPV4 = 0
    IPV6 = 1


class NetworkPortCreateFlags(IntFlag):
    """virNetworkPortCreateFlags: VIR_NETWORK_PORT_CREATE_*."""

    RECLAIM = 1 << 0
    VALIDATE = 1 << 1


class NetworkMetadataType(IntEnum):
    """virNetworkMetadataType: VIR_NETWORK_METADATA_*."""

    DESCRIPTION = 0
    TITLE = 1
    ELEMENT = 2
