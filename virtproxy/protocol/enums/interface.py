# SPDX-License-Identifier: LGPL-2.1-or-later
"""Network interfaces of the host.

Public enums of libvirt; the first word of a docstring is the C name, the second what its members are called in C.
"""

from __future__ import annotations

from enum import IntFlag


class ConnectListAllInterfacesFlags(IntFlag):
    """virConnectListAllInterfacesFlags: VIR_CONNECT_LIST_INTERFACES_*."""

    INACTIVE = 1 << 0
    ACTIVE = 1 << 1


class InterfaceXMLFlags(IntFlag):
    """virInterfaceXMLFlags: VIR_INTERFACE_XML_*."""

    INACTIVE = 1 << 0


class InterfaceDefineFlags(IntFlag):
    """virInterfaceDefineFlags: VIR_INTERFACE_DEFINE_*."""

    VALIDATE = 1 << 0
