# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interfaces and host devices: what they mean beyond their tables.

Hooks of the tables' lines, as in `machine`.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from uuid import uuid4

from virtproxy.documents.domain.shape import Hook, Shaper
from virtproxy.documents.domain.values import internal, refused, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError, invalid_arg
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

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
    _virtio(element)
    _check_interface(element, type_)


def _virtio(interface: Element) -> None:
    """Only a paravirtual card's driver has options, and a vhost device."""
    model, driver, backend = interface.find("model"), interface.find("driver"), interface.find("backend")
    if model is not None and model.attributes.get("type", "").startswith("virtio"):
        if driver is not None and driver.attributes.get("name", "qemu") not in ("qemu", "vhost"):
            raise refused(driver.attributes["name"], "driver", "name")
        return
    if driver is not None and interface.attributes["type"] != "hostdev":
        for name in ("iommu", "ats", "packed", "page_per_vq"):
            if name in driver.attributes:
                raise unsupported(f"{name} driver option is only supported for virtio devices")
        interface.remove("driver")
    if backend is not None:
        backend.attributes.pop("vhost", None)
        if not backend.attributes:
            interface.remove("backend")


def _check_interface(interface: Element, type_: str) -> None:
    backend, target = interface.find("backend"), interface.find("target")
    passt = backend is not None and backend.attributes.get("type") == "passt"
    if passt and type_ not in ("user", "vhostuser"):
        raise unsupported("The 'passt' backend can only be used with interface type='user' or type='vhostuser'")
    if interface.find("portForward") is not None and not passt:
        raise unsupported(
            "The <portForward> element can only be used with the 'passt' backend of interface type='user' or "
            "type='vhostuser'"
        )
    if target is not None and target.attributes.get("managed") == "no" and type_ != "ethernet":
        raise unsupported(f"unmanaged target dev is not supported on interfaces of type '{type_}'")
    floors = [interface.find(f"bandwidth/{name}") for name in ("inbound", "outbound")]
    if type_ != "network" and any(limit is not None and "floor" in limit.attributes for limit in floors):
        raise unsupported("floor attribute is not supported for this config")
    if type_ == "user" and not passt:
        interface.remove("source")
    _check_routes(interface, "guest interface")
    source = interface.find("source")
    if source is not None:
        _check_routes(source, "interface host IP")


def _check_routes(holder: Element, what: str) -> None:
    for route in holder.elements:
        if route.name != "route":
            continue
        attributes = route.attributes
        address, mask = attributes.get("address"), attributes.get("netmask")
        if address is None:
            continue
        given = ip_address(address) if _number(address) else None
        bits = int(attributes.get("prefix", given.max_prefixlen if given else 32))
        outside = (1 << max(given.max_prefixlen - bits, 0)) - 1 if given else 0
        if _number(address) & (~_number(mask) if mask is not None else outside):
            detail = f"{what}: Address '{address}' in route definition is not a network address"
            raise xml_error(detail)


def _number(address: str) -> int:
    try:
        return int(ip_address(address))
    except ValueError:
        raise xml_error(f"Cannot parse IP address '{address}'") from None


def ip(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """An address says of which family it is."""
    attributes = element.attributes
    family = attributes.get("family") or ("ipv6" if ":" in attributes["address"] else "ipv4")
    _number(attributes["address"])
    rest = {name: value for name, value in attributes.items() if name not in ("address", "family")}
    element.attributes = {"address": attributes["address"], "family": family, **rest}


def netaddress(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """Which of the host's devices it is: on PCI by slot, on USB by number."""
    attributes = element.attributes
    if attributes.get("type", "usb" if "device" in attributes else "pci") == "usb":
        element.attributes = {
            "type": "usb",
            **{name: attributes[name] for name in ("bus", "device") if name in attributes},
        }
        return
    usual = {"domain": "0x0000", "bus": "0x00", "slot": "0x00", "function": "0x0"}
    kind = {"type": "pci"} if "type" in attributes else {}
    element.attributes = kind | usual | {name: value for name, value in attributes.items() if name in usual}
    if element.attributes["bus"].isdigit():
        element.attributes["bus"] = f"0x{int(attributes['bus']):02x}"


def scsihost(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """A portal's port."""
    port = element.attributes.get("port", "1")
    if not port.isdigit():
        raise invalid_arg(f"failed to parse port number '{port}'")


def bandwidth(_shaper: Shaper, element: Element, _parent: Element | None) -> None:
    """An interface's limits have no class of their own."""
    if "classID" in element.attributes:
        detail = "classID attribute not supported on <bandwidth> in this usage context"
        raise VirtError.of(ErrorCode.XML_DETAIL, detail)
    for name in ("inbound", "outbound"):
        limit = element.find(name)
        if limit is not None and "average" not in limit.attributes and "floor" not in limit.attributes:
            raise xml_error("Missing mandatory average or floor attributes")


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
    if attributes["type"] != "scsi":
        element.remove("readonly")
        element.remove("shareable")
    teaming = element.find("teaming")
    if teaming is not None and teaming.attributes["type"] != "transient":
        raise unsupported("teaming hostdev devices must have type='transient'")
    _check_routes(element, "Domain hostdev device")
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
        secret = source.find("auth/secret")
        if secret is not None and secret.attributes["type"] != "iscsi":
            raise internal(f"hostdev invalid secret type '{secret.attributes['type']}'")
        name = source.attributes.get("name", "/")
        if "/" not in name:
            source.attributes["name"] = f"{name}/0"
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


MEANINGS: dict[str, Hook] = {
    hook.__name__: hook for hook in (interface, hostdev, virtualport, bandwidth, ip, netaddress, scsihost)
}
