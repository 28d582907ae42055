# SPDX-License-Identifier: LGPL-2.1-or-later
"""The order in which libvirt writes a network's elements and attributes, and the values they take."""

from __future__ import annotations

from ipaddress import ip_address

from virtproxy.documents.form import Form, any_text, lenient, more_than_nothing, never, one_of, whole, yes_no
from virtproxy.documents.markup import Element


def address(element: Element, name: str) -> str | None:
    """An address in its shortest form, or as it came if it is none (the rules find that)."""
    text = element.attributes[name]
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def lower(element: Element, name: str) -> str | None:
    """A hardware address."""
    return element.attributes[name].lower()


def not_zero(element: Element, name: str) -> str | None:
    """A prefix: none is written like nothing."""
    return None if whole(element, name) == "0" else whole(element, name)


_RANGE = {"start": address, "end": address}
_LEASE = Form("lease", {"expiry": whole, "unit": one_of("seconds", "minutes", "hours")})
PCI = Form("address", dict.fromkeys(("type", "domain", "bus", "slot", "function"), any_text))
BANDWIDTH = Form(
    "bandwidth",
    children=(
        Form("inbound", dict.fromkeys(("average", "peak", "floor", "burst"), whole)),
        Form("outbound", dict.fromkeys(("average", "peak", "burst"), whole)),
    ),
)
VLAN = Form(
    "vlan",
    {"trunk": yes_no},
    (Form("tag", {"id": whole, "nativeMode": one_of("tagged", "untagged")}, many=True),),
    bare=True,
)
_PARAMETERS = ("managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid")
VIRTUALPORT = Form(
    "virtualport", {"type": any_text}, (Form("parameters", dict.fromkeys(_PARAMETERS, any_text)),), bare=True
)
PORT = Form("port", {"isolated": yes_no})
RANGE = Form("range", _RANGE, (_LEASE,), many=True, bare=True)
DHCP_HOST = Form(
    "host", {"mac": any_text, "id": any_text, "name": any_text, "ip": address}, (_LEASE,), many=True, bare=True
)
DNS_HOST = Form("host", {"ip": address}, (Form("hostname", many=True),), many=True, bare=True)
TXT = Form("txt", {"name": any_text, "value": any_text}, many=True, bare=True)
_SRV = ("service", "protocol", "domain", "target", "port", "priority", "weight")
SRV = Form("srv", dict.fromkeys(_SRV, any_text), many=True, bare=True)
INTERFACE = Form("interface", {"dev": any_text, "connections": never}, many=True, bare=True)
PORTGROUP = Form(
    "portgroup",
    {"name": any_text, "default": lenient("yes"), "trustGuestRxFilters": yes_no},
    (VLAN, VIRTUALPORT, BANDWIDTH, PORT),
    many=True,
    hollow=True,
)
FORWARD = Form(
    "forward",
    {"dev": any_text, "mode": any_text, "managed": lenient("yes", "no")},
    (
        Form("driver", {"name": one_of("kvm", "vfio", "xen")}),
        Form(
            "nat",
            {"ipv6": yes_no},
            (Form("address", _RANGE, bare=True), Form("port", {"start": any_text, "end": any_text}, bare=True)),
        ),
        Form("pf", {"dev": any_text}, many=True),
        INTERFACE,
        Form("address", PCI.attributes, many=True, bare=True),
    ),
    bare=True,
)
DNS = Form(
    "dns",
    {"enable": yes_no, "forwardPlainNames": yes_no},
    (Form("forwarder", {"domain": any_text, "addr": address}, many=True, bare=True), TXT, SRV, DNS_HOST),
)
IP = Form(
    "ip",
    {"family": any_text, "address": address, "netmask": address, "prefix": not_zero, "localPtr": yes_no},
    (
        Form("tftp", {"root": any_text}),
        Form("dhcp", children=(RANGE, DHCP_HOST, Form("bootp", {"file": any_text, "server": address}, bare=True))),
    ),
    many=True,
    hollow=True,
)
ROUTE = Form(
    "route",
    {
        "family": any_text, "address": address, "netmask": address, "prefix": whole, "gateway": address,
        "metric": more_than_nothing,
    },
    many=True,
    bare=True,
)  # fmt: skip
NETWORK = Form(
    "network",
    {"connections": never, "ipv6": lenient("yes"), "trustGuestRxFilters": yes_no},
    (
        Form("name"), Form("uuid"), Form("title"), Form("description"), Form("metadata", foreign=True, bare=True),
        FORWARD,
        Form("bridge", {"name": any_text, "zone": any_text, "stp": any_text, "delay": any_text,
                        "macTableManager": any_text}),
        Form("mtu", {"size": any_text}),
        Form("mac", {"address": lower}),
        Form("domain", {"name": any_text, "localOnly": yes_no, "register": yes_no}),
        DNS, VLAN, BANDWIDTH, PORT, IP, ROUTE, VIRTUALPORT, PORTGROUP,
    ),
)  # fmt: skip
