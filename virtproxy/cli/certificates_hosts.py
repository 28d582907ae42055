# SPDX-License-Identifier: LGPL-2.1-or-later
"""Under which names clients dial a server, and whether its certificate is for them.

``virtproxy pki server`` and ``check`` ask before a client is refused because of it. Names are looked up with the
system's resolver, for a few seconds at most.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Iterator

from cryptography import x509

from virtproxy.auth.alternative_names import alternative_names
from virtproxy.cli.output import CommandError

RESOLVE_SECONDS = 4.0
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_ONLY_HERE = {"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost"}

# Says whether a name can be looked up here; None if that takes too long.
Resolver = Callable[[str], bool | None]


def general_name(name: str) -> x509.GeneralName:
    """``name``, an address or a host name, as a certificate has it. CommandError if it is neither."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(name):
        raise CommandError(
            f'"{name}" is neither an address nor a host name in ASCII (write an international name as xn--...)'
        )
    return x509.DNSName(name)


def resolves(name: str) -> bool | None:
    """Whether the system knows an address of ``name``; None if it takes longer than RESOLVE_SECONDS to say."""
    found: list[bool] = []

    def look_up() -> None:
        try:
            found.append(bool(socket.getaddrinfo(name, None)))
        except (OSError, UnicodeError):
            found.append(False)

    # A resolver cannot be interrupted: the thread is left alone then, and ends with the program.
    looking = threading.Thread(target=look_up, daemon=True)
    looking.start()
    looking.join(RESOLVE_SECONDS)
    return found[0] if found else None


def dial_warnings(certificate: x509.Certificate, resolver: Resolver = resolves) -> list[str]:
    """What may keep clients from believing that a server with ``certificate`` is the one they dialled."""
    names = [name.partition(":")[2] for name in alternative_names(certificate) if name.startswith("DNS:")]
    addresses = [name.partition(":")[2] for name in alternative_names(certificate) if name.startswith("IP:")]
    if not names and not addresses:
        return ["it has no alternative names, and clients do not look at its common name: issue one with --host NAME"]
    return [*_name_warnings(names, resolver), *_address_warnings(names, addresses)]


def _name_warnings(names: list[str], resolver: Resolver) -> Iterator[str]:
    for name in names:
        if _address(name):
            yield f'"{name}" stands in it as a host name, which no client takes for an address: issue it as an address'
        elif name.startswith("*."):
            yield f'"{name}" is for every host below {name[2:]}: whoever has its key can pass for each of them'
        elif name not in _ONLY_HERE and resolver(name) is not True:
            yield f'"{name}" does not resolve here: clients that dial it must be able to look it up'


def _address_warnings(names: list[str], addresses: list[str]) -> Iterator[str]:
    dialled = [name for name in names if name not in _ONLY_HERE]
    far = [address for address in addresses if not ipaddress.ip_address(address).is_loopback]
    if not dialled and not far:
        yield "it is for this host only: clients elsewhere dial another name than localhost, give that with --host"
    elif not addresses:
        yield "it has no address: clients that dial one instead of a name will refuse it (--host ADDRESS)"


def host_problem(certificate: x509.Certificate, host: str) -> str | None:
    """Why a client that dials ``host`` refuses the certificate; None if it does not."""
    names = alternative_names(certificate)
    address = _address(host)
    good = f"IP:{address}" in names if address else any(_matches(host.lower(), name) for name in names)
    if good:
        return None
    held = ", ".join(name for name in names if name.startswith(("DNS:", "IP:"))) or "none"
    return f'clients that dial "{host}" will refuse it: its names are {held}'


def _matches(host: str, name: str) -> bool:
    kind, _, pattern = name.partition(":")
    if kind != "DNS":
        return False
    # RFC 6125, 6.4.3: the first label only.
    return pattern == host or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return None
