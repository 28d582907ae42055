# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces and host devices: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

import os
from uuid import uuid4

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import internal, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.protocol.errors import ErrorDomain

# What no interface goes without a source of: all but these.
_SOURCELESS = frozenset({"user", "ethernet", "null"})


def interface(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """An interface has a MAC address of its own, and a source where its type has one."""
    type_ = element.attributes["type"]
    if element.find("mac") is None:
        tail = ":".join(f"{byte:02x}" for byte in os.urandom(3))
        element.children.insert(0, Element("mac", {"address": f"52:54:00:{tail}"}))
    source = element.find("source")
    if source is None:
        if type_ not in _SOURCELESS:
            raise xml_error(f"interface type='{type_}' requires a 'source' element")
    elif type_ in ("user", "null", "ethernet") and not source.attributes and not source.children:
        element.children.remove(source)
    elif type_ == "direct":
        source.attributes.setdefault("mode", "vepa")


def hostdev(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A host device is a subsystem's by itself, and has a source."""
    attributes = element.attributes
    mode = attributes.get("mode", "subsystem")
    shaped = {"mode": mode, "type": attributes["type"]}
    if mode == "subsystem":
        shaped["managed"] = attributes.get("managed", "no")
    element.attributes = shaped | {name: value for name, value in attributes.items() if name not in shaped}
    if mode != "subsystem":
        element.attributes.pop("managed", None)
    source = element.find("source")
    if source is not None and "startupPolicy" in source.attributes and attributes["type"] != "usb":
        raise unsupported("Setting startupPolicy is only allowed for USB devices")
    if source is None:
        raise xml_error("Missing <source> element in hostdev device")
    check = _SOURCES.get(attributes["type"]) if mode == "subsystem" else None
    if check is not None:
        check(element, source)


def _usb(_hostdev: Element, source: Element) -> None:
    vendor, address = source.find("vendor"), source.find("address")
    if vendor is None and address is None:
        raise xml_error("usb address needs both vendor and product, or bus and device")


def _pci(hostdev: Element, source: Element) -> None:
    if source.find("address") is None:
        raise xml_error("Missing <address> element in hostdev device")
    address = hostdev.find("address")
    if address is not None and address.attributes["type"] not in ("pci", "unassigned"):
        raise internal("PCI host devices must use 'pci' or 'unassigned' address type")


def _scsi(_hostdev: Element, source: Element) -> None:
    if source.attributes.get("protocol") == "iscsi":
        if "name" not in source.attributes:
            raise xml_error("missing iSCSI hostdev source path name")
        return
    source.attributes.pop("protocol", None)
    adapter = source.find("adapter")
    if adapter is None or source.find("address") is None:
        raise xml_error("'adapter' and 'address' must be specified for scsi hostdev source")
    if "name" not in adapter.attributes:
        raise xml_error("'adapter' name must be specified for scsi hostdev source")


_SOURCES = {"usb": _usb, "pci": _pci, "scsi": _scsi}

_PROFILES = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion", "instanceid"), "802.1Qbh": ("profileid",),
    "openvswitch": ("interfaceid", "profileid"), "midonet": ("interfaceid",),
}  # fmt: skip


def virtualport(_shaper: Shaper, element: Element, parent: Element | None) -> None:
    """What a kind of virtual port must say, and what is made up for it."""
    assert parent is not None
    type_, network = element.attributes.get("type"), parent.attributes.get("type") == "network"
    if type_ is None and not network:
        raise xml_error("missing required virtualport type", ErrorDomain.NONE)
    parameters = element.child("parameters").attributes
    if type_ == "openvswitch" or (type_ is None and network):
        parameters.setdefault("interfaceid", str(uuid4()))
    if type_ is None and network:
        parameters.setdefault("instanceid", str(uuid4()))
    for name in _PROFILES.get(type_ or "", ()):
        if (name not in parameters and name != "profileid") or (type_ == "802.1Qbh" and "profileid" not in parameters):
            raise xml_error(f"missing {name} in <virtualport type='{type_}'>", ErrorDomain.NETWORK)
    order = ("managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid", "vlan")
    element.child("parameters").attributes = {name: parameters[name] for name in order if name in parameters}


MEANINGS: dict[str, Hook] = {"interface": interface, "hostdev": hostdev, "virtualport": virtualport}
