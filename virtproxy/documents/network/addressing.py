# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a network's document must not say of addresses: its own, DHCP, NAT and routes."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from virtproxy.documents.form import number, required, unsupported, xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError, internal
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DOMAIN = ErrorDomain.NETWORK
Address = IPv4Address | IPv6Address
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
_SHORTEST_LEASE = 120
_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}


def parsed(text: str) -> Address | None:
    """The address, or None if it is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def strict(text: str) -> Address:
    """The address; VirtError SYSTEM_ERROR if it is none."""
    found = parsed(text)
    if found is None:
        detail = f"Cannot parse socket address '{text}': Name or service not known"
        raise VirtError(ErrorCode.SYSTEM_ERROR, detail, str1="%s", str2=detail)
    return found


def check_ip(ip: Element, name: str) -> None:
    """Check one address of the network's own, and the DHCP beside it."""
    text, family = ip.attributes.get("address"), ip.attributes.get("family")
    if text is None:
        raise xml_error(f"Missing required address attribute in network '{name}'", DOMAIN)
    address = parsed(text)
    if address is None:
        raise xml_error(f"Invalid address '{text}' in network '{name}'", DOMAIN)
    _check_family(address, text, family, name)
    _check_length(ip, address, name)
    dhcp = ip.find("dhcp")
    if dhcp is not None:
        check_dhcp(ip, dhcp, name)


def _check_family(address: Address, text: str, family: str | None, name: str) -> None:
    wanted = {None: 4, "ipv4": 4, "ipv6": 6}.get(family)
    if wanted is None:
        raise xml_error(f"Unrecognized family '{family}' in network '{name}'", DOMAIN)
    if address.version != wanted:
        said = "no family specified" if family is None else f"{family} family specified"
        kind = "IPv4" if wanted == 4 else "IPv6"
        raise unsupported(f"{said} for non-{kind} address '{text}' in network '{name}'", DOMAIN)


def _check_length(ip: Element, address: Address, name: str) -> None:
    mask = ip.attributes.get("netmask")
    prefix = number(ip, "prefix") if "prefix" in ip.attributes else 0
    if mask is not None and address.version == 6:
        detail = f"netmask not allowed for IPv6 address '{address}' in network '{name}'"
        raise unsupported(detail, DOMAIN)
    if mask is not None and parsed(mask) is None:
        raise xml_error(f"Invalid netmask '{mask}' in network '{name}'", DOMAIN)
    if mask is not None and prefix:
        raise unsupported(f"Network '{name}' IP address cannot have both a prefix and a netmask", DOMAIN)
    if prefix > address.max_prefixlen:
        raise unsupported(f"Invalid IPv{address.version} prefix '{prefix}' in network '{name}'", DOMAIN)


def around(ip: Element) -> tuple[IPv4Network | IPv6Network, int] | None:
    """The network that an `ip` element is in and its prefix, or None where it does not say."""
    length = ip.attributes.get("netmask") or ip.attributes.get("prefix") or "0"
    try:
        found = ip_network(f"{ip.attributes['address']}/{length}", strict=False)
    except ValueError:
        return None
    return (found, found.prefixlen) if found.prefixlen else None


def check_dhcp(ip: Element, dhcp: Element, name: str) -> None:
    """Check the ranges, hosts and boot server."""
    for child in dhcp.elements:
        if child.name == "range":
            check_range(child, ip, name)
        elif child.name == "host":
            check_host(child, ip, name)
        elif child.name == "bootp":
            required(child, "file")
            if "server" in child.attributes:
                strict(child.attributes["server"])


def check_range(element: Element, ip: Element, name: str) -> None:
    """Check a range of addresses, which must be within the network."""
    for which in ("start", "end"):
        if which not in element.attributes:
            raise xml_error(f"Missing '{which}' attribute in dhcp range for network '{name}'", DOMAIN)
    start, end = strict(element.attributes["start"]), strict(element.attributes["end"])
    ordered(start, end)
    _check_within(start, end, ip)
    _check_lease(element)


def ordered(start: Address, end: Address) -> None:
    """Refuse a range of two families, or one that ends before it starts."""
    if start.version != end.version:
        raise internal(f"mismatch of address family in range {start} - {end}", ErrorDomain.NONE)
    if int(start) > int(end):
        raise internal(f"range {start} - {end} is reversed ", ErrorDomain.NONE)


def _check_within(start: Address, end: Address, ip: Element) -> None:
    whole = around(ip)
    if whole is None:
        return
    network, prefix = whole
    own = f"{ip_address(ip.attributes['address'])}/{prefix}"
    if start not in network or end not in network:
        raise internal(f"range {start} - {end} is not entirely within network {own}", ErrorDomain.NONE)
    if network.version == 4 and start == network.network_address:
        detail = f"start of range {start} - {end} in network {own} is the network address"
        raise internal(detail, ErrorDomain.NONE)
    if network.version == 4 and end == network.broadcast_address:
        detail = f"end of range {start} - {end} in network {own} is the broadcast address"
        raise internal(detail, ErrorDomain.NONE)


def _check_lease(element: Element) -> None:
    lease = element.find("lease")
    if lease is None:
        return
    required(lease, "expiry")
    seconds = number(lease, "expiry") * _UNITS.get(lease.attributes.get("unit", "minutes"), 60)
    if 0 < seconds < _SHORTEST_LEASE:
        raise unsupported("The minimum lease time should be greater than 2 minutes", DOMAIN)


def check_host(host: Element, ip: Element, name: str, *, partial: bool = False) -> None:
    """Check a host with an address of its own; `partial`: enough to find one by."""
    mac, text = host.attributes.get("mac"), host.attributes.get("ip")
    is_ipv6 = ip.attributes.get("family") == "ipv6"
    if mac is not None:
        _check_mac(mac, is_ipv6, name)
    if text is not None and parsed(text) is None:
        raise xml_error(f"Invalid IP address in static host definition for network '{name}'", DOMAIN)
    if not partial:
        if not is_ipv6 and mac is None and "name" not in host.attributes:
            detail = f"Static host definition in IPv4 network '{name}' must have mac or name attribute"
            raise xml_error(detail, DOMAIN)
        if text is None:
            raise xml_error(f"Missing IP address in static host definition for network '{name}'", DOMAIN)
    _check_lease(host)


def _check_mac(mac: str, is_ipv6: bool, name: str) -> None:
    if is_ipv6:
        detail = f"Invalid to specify MAC address '{mac}' in network '{name}' IPv6 static host definition"
        raise xml_error(detail, DOMAIN)
    if not _MAC.fullmatch(mac):
        raise xml_error(f"Cannot parse MAC address '{mac}' in network '{name}'", DOMAIN)
    if int(mac.partition(":")[0], 16) & 1:
        raise xml_error(f"expected unicast mac address, found multicast '{mac}' in network '{name}'", DOMAIN)


def check_nat(forward: Element, mode: str, name: str) -> None:
    """Check the addresses and ports that guests' are translated to."""
    nat = forward.find("nat")
    if nat is None:
        return
    if mode != "nat":
        detail = f"The <nat> element can only be used when <forward> 'mode' is 'nat' in network {name}"
        raise xml_error(detail, DOMAIN)
    address, port = nat.find("address"), nat.find("port")
    if address is not None:
        ends = [_nat_address(address, end, name) for end in ("start", "end")]
        ordered(*ends)
    for end in ("start", "end") if port is not None else ():
        if not re.fullmatch(r"\d{1,5}", (port or nat).attributes.get(end, ""), re.ASCII):
            detail = f"Missing or invalid '{end}' attribute in <port> in <nat> in <forward> in network {name}"
            raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=DOMAIN)


def _nat_address(address: Element, end: str, name: str) -> Address:
    text = address.attributes.get(end)
    if text is None:
        detail = f"missing '{end}' attribute in <address> element in <nat> in <forward> in network {name}"
        raise xml_error(detail, DOMAIN)
    found = parsed(text)
    if found is None:
        raise xml_error(f"Bad ipv4 {end} address '{text}' in <nat> in <forward> in network '{name}'", DOMAIN)
    return found


def check_route(route: Element, name: str) -> None:
    """Check one static route by itself."""
    for part in ("address", "gateway"):
        if part not in route.attributes:
            raise xml_error(f"{name}: Missing required {part} attribute in route definition", DOMAIN)
        if parsed(route.attributes[part]) is None:
            value = route.attributes[part]
            raise xml_error(f"{name}: Invalid {part} '{value}' in route definition", DOMAIN)
    text = route.attributes["address"]
    length = route.attributes.get("netmask") or route.attributes.get("prefix") or "0"
    try:
        ip_network(f"{text}/{length}")
    except ValueError:
        detail = f"{name}: Address '{text}' in route definition is not a network address"
        raise xml_error(detail, DOMAIN) from None


def check_reachable(route: Element, addresses: list[Element], name: str) -> None:
    """Refuse a gateway that is in none of the network's own networks."""
    gateway = ip_address(route.attributes["gateway"])
    networks = [found[0] for ip in addresses if (found := around(ip)) is not None]
    if not any(gateway in network for network in networks if network.version == gateway.version):
        detail = f"unreachable static route gateway '{gateway}' specified for network '{name}'"
        raise unsupported(detail, DOMAIN)
