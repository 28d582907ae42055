# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes a connection URI apart: how the daemon is reached, and what it is told.

``opening`` calls it. It looks at nothing but the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import unquote

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

Transport = Literal["unix", "tcp", "tls"]
DEFAULT_PORTS: Mapping[Transport, int] = {"unix": 0, "tcp": 16509, "tls": 16514}

# RFC 3986 section 3, with the transport that libvirt puts into the scheme.
_URI = re.compile(
    r"(?P<driver>[A-Za-z][A-Za-z0-9.-]*)(\+(?P<transport>[A-Za-z0-9]+))?:"
    r"(?P<authority>//((?P<user>[^/?#@]*)@)?(\[(?P<ipv6>[^]/?#]+)]|(?P<host>[^/?#:]*))(:(?P<port>[0-9]*))?)?"
    r"(?(authority)(?=[/?#]|$)|(?!//))(?P<path>[^?#]*)(\?(?P<query>[^#]*))?(#(?P<fragment>.*))?"
)
# What libvirt's clients use themselves and do not pass on, whatever the transport.
_OWN_PARAMETERS = frozenset(
    {
        "name", "command", "socket", "auth", "sshauth", "netcat", "keyfile", "pkipath", "known_hosts",
        "known_hosts_verify", "no_sanity", "no_verify", "no_tty", "tls_priority", "mode", "proxy",
    }
)  # fmt: skip


class UriError(VirtError):
    """A URI that cannot be connected to; the message says what one looks like."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INVALID_ARG, message, domain=ErrorDomain.REMOTE)


@dataclass(frozen=True, slots=True)
class RemoteUri:
    """A URI as a client uses it. ``name`` is what the daemon is asked to open; None asks it to choose."""

    driver: str
    transport: Transport
    host: str
    port: int
    path: str
    parameters: Mapping[str, str]
    name: str | None


def parse(text: str) -> RemoteUri:
    """Take a URI apart; an empty one is the local daemon's own choice. Raises UriError."""
    if not text:
        return RemoteUri("", "unix", "", 0, "", {}, None)
    match = _URI.fullmatch(text)
    if match is None:
        raise UriError(f"'{text}' is not a URI: one looks like qemu:///system or qemu+tls://host/system")
    host = unquote(match["ipv6"] or match["host"] or "")
    transport = _transport(text, match["transport"], host)
    own, passed = _sort_parameters(match["query"] or "")
    name = own.get("name") or _name(match, passed)
    return RemoteUri(match["driver"], transport, host, _port(text, match["port"], transport), match["path"], own, name)


def _transport(text: str, given: str | None, host: str) -> Transport:
    transport = given or ("tls" if host else "unix")
    if transport not in DEFAULT_PORTS:
        raise UriError(f"'{text}': transport {transport} is not known here; unix, tcp and tls are")
    if transport == "unix" and host:
        raise UriError(f"'{text}': a UNIX socket is on this host, so the URI has none (write {transport}:///)")
    if transport != "unix" and not host:
        raise UriError(f"'{text}': transport {transport} needs a host")
    return cast("Transport", transport)


def _port(text: str, given: str | None, transport: Transport) -> int:
    port = int(given) if given else DEFAULT_PORTS[transport]
    if port > 65535 or (given and port == 0):
        raise UriError(f"'{text}': port {port} is not from 1 to 65535")
    return port


def _sort_parameters(query: str) -> tuple[dict[str, str], str]:
    """Return the client's own parameters, and the rest as it was written."""
    own: dict[str, str] = {}
    passed: list[str] = []
    for part in filter(None, re.split("[&;]", query)):
        key, _, value = part.partition("=")
        if unquote(key) in _OWN_PARAMETERS:
            own[unquote(key)] = unquote(value)
        else:
            passed.append(part)
    return own, "&".join(passed)


def _name(match: re.Match[str], query: str) -> str:
    """The URI without transport, host and the client's own parameters."""
    name = f"{match['driver']}://{match['path']}"
    if query:
        name += f"?{query}"
    return f"{name}#{match['fragment']}" if match["fragment"] else name
