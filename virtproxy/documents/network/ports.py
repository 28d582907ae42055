# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a document must not say of guests' ports: bandwidth, VLANs, virtual ports. Networks and their ports ask."""

from __future__ import annotations

from virtproxy.documents.form import number, required, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# What each type of virtual port takes.
PARAMETERS = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion", "instanceid"),
    "802.1Qbh": ("profileid",),
    "openvswitch": ("interfaceid", "profileid"),
    "midonet": ("interfaceid",),
}
_ALL = ("managerid", "typeid", "typeidversion", "instanceid", "profileid", "interfaceid")
VLAN_MAX = 4095


def check_bandwidth(bandwidth: Element, *, floor: bool = False) -> None:
    """Check the limits; `floor`: whether a guaranteed rate may be asked for here."""
    for direction in bandwidth.elements:
        if direction.name not in ("inbound", "outbound"):
            continue
        for name in ("average", "peak", "burst", "floor"):
            if name in direction.attributes:
                number(direction, name)
        if not {"average", "floor"} & direction.attributes.keys():
            detail = "Missing mandatory average or floor attributes"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail)
        if "floor" in direction.attributes and not floor:
            raise unsupported("floor attribute is not supported for this config", ErrorDomain.NONE)


def check_vlan(vlan: Element) -> None:
    """Check the tags."""
    tags = [child for child in vlan.elements if child.name == "tag"]
    if not tags:
        detail = "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement"
        raise xml_error(detail, ErrorDomain.NONE)
    for tag in tags:
        required(tag, "id")
        id = number(tag, "id")
        if id > VLAN_MAX:
            raise xml_error(f"vlan tag id {id} too large (maximum {VLAN_MAX})", ErrorDomain.NONE)
    trunk = vlan.attributes.get("trunk", "yes")
    if len(tags) > 1 and trunk != "yes":
        detail = f"invalid \"trunk='{trunk}'\" in <vlan> - trunk='yes' is required for more than one vlan tag"
        raise xml_error(detail, ErrorDomain.NONE)


def check_virtualport(virtualport: Element) -> None:
    """Check the type, and that it takes the parameters it is given."""
    kind = virtualport.attributes.get("type")
    if kind is None:
        raise xml_error("missing required virtualport type", ErrorDomain.NONE)
    if kind not in PARAMETERS:
        raise unsupported(f"unknown virtualport type {kind}", ErrorDomain.NONE)
    parameters = virtualport.find("parameters") or Element("parameters")
    for name in _ALL:
        if name in parameters.attributes and name not in PARAMETERS[kind]:
            raise xml_error(f"extra {name} unsupported in <virtualport type='{kind}'>", ErrorDomain.NET)
