# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a network's document must not say of names: the DNS records that the network answers with."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from virtproxy.documents.form import xml_error
from virtproxy.documents.markup import Element
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

_PORT = re.compile(r"0*[1-9]\d{0,4}", re.ASCII)


Check = Callable[[Element, str], None]


def detail_error(detail: str) -> VirtError:
    """An error in a record."""
    return VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.NETWORK)


def is_address(text: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def check_dns(dns: Element, name: str) -> None:
    """Check everything in `dns`; `name` is the network's."""
    checks: dict[str, Check] = {"forwarder": check_forwarder, "txt": check_txt, "srv": check_srv, "host": check_host}
    if dns.attributes.get("enable") == "no" and any(child.name in checks for child in dns.elements):
        raise xml_error(f"Extra data in disabled network '{name}'", ErrorDomain.NETWORK)
    for child in dns.elements:
        if child.name in checks:
            checks[child.name](child, name)


def check_forwarder(forwarder: Element, name: str) -> None:
    """Where questions go."""
    addr = forwarder.attributes.get("addr")
    if addr is not None and not is_address(addr):
        raise xml_error(f"Invalid forwarder IP address '{addr}' in network '{name}'", ErrorDomain.NETWORK)
    if addr is None and "domain" not in forwarder.attributes:
        detail = "Invalid forwarder element, must contain at least one of addr or domain"
        raise xml_error(detail, ErrorDomain.NETWORK)


def check_txt(txt: Element, name: str, *, partial: bool = False) -> None:
    """A text; `partial`: enough to find one by."""
    key = txt.attributes.get("name")
    if key is None:
        raise detail_error(f"missing required name attribute in DNS TXT record of network {name}")
    if " " in key:
        raise detail_error(f"prohibited character in DNS TXT record name '{key}' of network {name}")
    if "value" not in txt.attributes and not partial:
        raise detail_error(f"missing required value attribute in DNS TXT record named '{key}' of network {name}")


def check_srv(srv: Element, name: str, *, partial: bool = False) -> None:
    """A service."""
    service = srv.attributes.get("service")
    if service is None and not partial:
        raise detail_error(f"missing required service attribute in DNS SRV record of network '{name}'")
    if "protocol" not in srv.attributes and not partial:
        detail = f"missing required protocol attribute in DNS SRV record '{service}' of network '{name}'"
        raise detail_error(detail)
    port = srv.attributes.get("port")
    if port is None:
        return
    if "target" not in srv.attributes:
        detail = f"DNS SRV port attribute not permitted without target for service '{service}' in network '{name}'"
        raise detail_error(detail)
    if not _PORT.fullmatch(port):
        raise detail_error(f"invalid DNS SRV port attribute for service '{service}' in network '{name}'")


def check_host(host: Element, name: str, *, partial: bool = False) -> None:
    """A host's names."""
    ip = host.attributes.get("ip")
    names = [child for child in host.elements if child.name == "hostname"]
    if not names and not partial:
        raise detail_error(f"Missing hostname in network '{name}' DNS HOST record")
    if ip is None and not partial:
        raise detail_error(f"Missing IP address in network '{name}' DNS HOST record")
    if ip is not None and not is_address(ip):
        raise detail_error(f"Invalid IP address in network '{name}' DNS HOST record")
