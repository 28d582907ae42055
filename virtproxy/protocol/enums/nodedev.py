# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices of the host.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ConnectListAllNodeDeviceFlags(IntFlag):
    """virConnectListAllNodeDeviceFlags: VIR_CONNECT_LIST_NODE_DEVICES_*."""

    CAP_SYSTEM = 1 << 0
    CAP_PCI_DEV = 1 << 1
    CAP_USB_DEV = 1 << 2
    CAP_USB_INTERFACE = 1 << 3
    CAP_NET = 1 << 4
    CAP_SCSI_HOST = 1 << 5
    CAP_SCSI_TARGET = 1 << 6
    CAP_SCSI = 1 << 7
    CAP_STORAGE = 1 << 8
    CAP_FC_HOST = 1 << 9
    CAP_VPORTS = 1 << 10
    CAP_SCSI_GENERIC = 1 << 11
    CAP_DRM = 1 << 12
    CAP_MDEV_TYPES = 1 << 13
    CAP_MDEV = 1 << 14
    CAP_CCW_DEV = 1 << 15
    CAP_CSS_DEV = 1 << 16
    CAP_VDPA = 1 << 17
    CAP_AP_CARD = 1 << 18
    CAP_AP_QUEUE = 1 << 19
    CAP_AP_MATRIX = 1 << 20
    CAP_VPD = 1 << 21
    CAP_CCWGROUP_DEV = 1 << 22
    CAP_CCWGROUP_MEMBER = 1 << 23
    PERSISTENT = 1 << 28
    TRANSIENT = 1 << 29
    INACTIVE = 1 << 30
    ACTIVE = 1 << 31


class NodeDeviceXMLFlags(IntFlag):
    """virNodeDeviceXMLFlags: VIR_NODE_DEVICE_XML_*."""

    INACTIVE = 1 << 0


class NodeDeviceCreateXMLFlags(IntFlag):
    """virNodeDeviceCreateXMLFlags: VIR_NODE_DEVICE_CREATE_XML_*."""

    VALIDATE = 1 << 0


class NodeDeviceDefineXMLFlags(IntFlag):
    """virNodeDeviceDefineXMLFlags: VIR_NODE_DEVICE_DEFINE_XML_*."""

    VALIDATE = 1 << 0


class NodeDeviceUpdateFlags(IntFlag):
    """virNodeDeviceUpdateFlags: VIR_NODE_DEVICE_UPDATE_AFFECT_*."""

    CURRENT = 0
    LIVE = 1 << 0
    CONFIG = 1 << 1


class NodeDeviceEventID(IntEnum):
    """virNodeDeviceEventID: VIR_NODE_DEVICE_EVENT_ID_*."""

    LIFECYCLE = 0
    UPDATE = 1


class NodeDeviceEventLifecycleType(IntEnum):
    """virNodeDeviceEventLifecycleType: VIR_NODE_DEVICE_EVENT_*."""

    CREATED = 0
    DELETED = 1
    DEFINED = 2
    UNDEFINED = 3
