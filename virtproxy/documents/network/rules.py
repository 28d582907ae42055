# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a network's document must not say: single values here, addresses in `addressing`, the whole of it last.

Each function raises VirtError with the code, the domain and the text that clients know from libvirt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from virtproxy.documents.form import number, required, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.documents.network.addressing import check_ip, check_nat, check_reachable, check_route
from virtproxy.documents.network.names import check_dns
from virtproxy.documents.network.ports import check_bandwidth, check_virtualport, check_vlan
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DOMAIN = ErrorDomain.NETWORK
# Where libvirt makes the bridge.
BRIDGED = ("none", "nat", "route", "open")
MODES = (*BRIDGED, "bridge", "private", "vepa", "passthrough", "hostdev")
MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")


def each(root: Element, name: str) -> Iterator[Element]:
    """The child elements called `name`."""
    return (child for child in root.elements if child.name == name)


def check_read(root: Element, name: str) -> None:
    """Check what is checked while reading; `name` is the network's."""
    if root.attributes.get("ipv6", "yes") not in ("yes", "no"):
        raise xml_error(f"Invalid ipv6 setting '{root.attributes['ipv6']}' in network '{name}'", DOMAIN)
    _check_bridge(root, name)
    _check_single(root, name)
    for dns in each(root, "dns"):
        check_dns(dns, name)
    check_ports(root)
    for portgroup in each(root, "portgroup"):
        check_portgroup(portgroup)
    for ip in each(root, "ip"):
        check_ip(ip, name)
    for route in each(root, "route"):
        check_route(route, name)
    for forward in each(root, "forward"):
        _check_forward(forward, name)
        break


def _check_bridge(root: Element, name: str) -> None:
    bridge = root.find("bridge")
    if bridge is None:
        return
    delay, tables = bridge.attributes.get("delay", "0"), bridge.attributes.get("macTableManager")
    if not re.fullmatch(r"\d{1,10}", delay, re.ASCII):
        raise xml_error(f"Invalid delay value in network '{name}'", DOMAIN)
    if tables not in (None, "kernel", "libvirt"):
        raise xml_error(f"Invalid macTableManager setting '{tables}' in network '{name}'", DOMAIN)


def _check_single(root: Element, name: str) -> None:
    for mtu in each(root, "mtu"):
        size = mtu.attributes.get("size", "0")
        if not re.fullmatch(r"\d{1,10}", size, re.ASCII):
            raise xml_error(f"Invalid mtu size '{size}' in network '{name}'", DOMAIN)
    for mac in each(root, "mac"):
        address = mac.attributes.get("address", "")
        if not MAC.fullmatch(address):
            raise xml_error(f"Invalid bridge mac address '{address}' in network '{name}'", DOMAIN)
        if int(address.partition(":")[0], 16) & 1:
            raise xml_error(f"Invalid multicast bridge mac address '{address}' in network '{name}'", DOMAIN)


def check_ports(root: Element) -> None:
    """Check what a network and a port group say alike of the guests' ports."""
    for bandwidth in each(root, "bandwidth"):
        check_bandwidth(bandwidth)
    for vlan in each(root, "vlan"):
        check_vlan(vlan)
    for virtualport in each(root, "virtualport"):
        check_virtualport(virtualport)


def check_portgroup(portgroup: Element) -> None:
    """Check one group."""
    if "name" not in portgroup.attributes:
        raise xml_error("Missing required name attribute in portgroup", DOMAIN)
    check_ports(portgroup)


def _check_forward(forward: Element, name: str) -> None:
    mode = forward.attributes.get("mode", "nat")
    if mode not in MODES:
        raise unsupported(f"unknown forwarding type '{mode}'", DOMAIN)
    check_nat(forward, mode, name)
    if len(list(each(forward, "pf"))) > 1:
        raise xml_error(f"Only one <pf> element is allowed in <forward> of network {name}", DOMAIN)
    for address in each(forward, "address"):
        _check_device(address, name)
    _check_interfaces(forward, name)


def _check_device(address: Element, name: str) -> None:
    kind = required(address, "type")
    if kind != "pci":
        raise unsupported(f"unknown address type '{kind}' in network {name}", DOMAIN)
    for part in ("domain", "bus", "slot", "function"):
        if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,4}|\d{1,5}", address.attributes.get(part, "0"), re.ASCII):
            number(address, part)
            raise VirtError.of(ErrorCode.XML_ERROR, f"Cannot parse <address> '{part}' attribute", domain=DOMAIN)


def _check_interfaces(forward: Element, name: str) -> None:
    seen: list[str] = []
    for interface in each(forward, "interface"):
        dev = interface.attributes.get("dev")
        if dev is None:
            detail = f"Missing required dev attribute in <forward> <interface> element of network {name}"
            raise xml_error(detail, DOMAIN)
        if dev in seen:
            raise xml_error(f"interface '{dev}' can only be listed once in network {name}", DOMAIN)
        seen.append(dev)
    dev = forward.attributes.get("dev")
    if seen and dev is not None and dev != seen[0]:
        detail = f"<forward dev='{dev}'> must match first <interface dev='{seen[0]}'/> in network {name}"
        raise xml_error(detail, DOMAIN)


def check_whole(root: Element, name: str) -> None:
    """Check how the parts go together, once it is complete."""
    forward, bridge = root.find("forward"), root.find("bridge") or Element("bridge")
    mode = "none" if forward is None else forward.attributes["mode"]
    for route in each(root, "route"):
        check_reachable(route, list(each(root, "ip")), name)
    devices = [] if forward is None else list(each(forward, "interface"))
    if mode in ("nat", "route"):
        if root.find("ip") is None:
            raise xml_error(f"{mode} forwarding requested, but no IP address provided for network '{name}'", DOMAIN)
        if len(devices) > 1:
            detail = f"multiple forwarding interfaces specified for network '{name}', only one is supported"
            raise xml_error(detail, DOMAIN)
    elif mode in ("private", "vepa", "passthrough", "hostdev") and bridge.attributes.get("name"):
        raise xml_error(f"bridge name not allowed in {mode} mode (network '{name}')", DOMAIN)
    elif mode == "bridge":
        _check_bridged(bridge, bool(devices), name)


def _check_bridged(bridge: Element, has_devices: bool, name: str) -> None:
    if any(key in bridge.attributes for key in ("stp", "delay", "zone")):
        detail = "bridge delay/stp/zone options only allowed in open, route, nat, and isolated mode, not in bridge"
        raise xml_error(f"{detail} (network '{name}')", DOMAIN)
    if bridge.attributes.get("name") and has_devices:
        detail = "A network with forward mode='bridge' can specify a bridge name or a forward dev, but not both"
        raise xml_error(f"{detail} (network '{name}')", DOMAIN)
