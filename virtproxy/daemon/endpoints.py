# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a daemon will listen, worked out from its settings and checked before anything is created.

Called by ``plan``; ``sockets`` opens what is described here. It must open no listening socket and write no file.
"""

from __future__ import annotations

import grp
import os
import re
import socket
from dataclasses import dataclass
from typing import Literal

from virtproxy.daemon.drivers import others
from virtproxy.daemon.paths import Places
from virtproxy.daemon.settings import Settings

# sun_path has 108 bytes, one of them for the zero at its end (unix(7)).
UNIX_PATH_MAX = 107
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class UnixEndpoint:
    """A UNIX socket: its mode as chmod takes it, and the group it is given, if any. ``key`` set its place.

    ``fd``: the descriptor of one that listens already, which the service manager passed.
    """

    path: str
    mode: int
    group: int | None
    readonly: bool
    key: str
    fd: int | None = None


@dataclass(frozen=True, slots=True)
class InetEndpoint:
    """A TCP port on one address; ``address`` is what bind() takes. ``key`` set the port, ``address_key``
    the address.

    ``wildcard``: all addresses of the family, so one that the host lacks may be left out. ``fd`` as with UNIX.
    """

    family: socket.AddressFamily
    address: tuple[str, int] | tuple[str, int, int, int]
    transport: Literal["tcp", "tls"]
    key: str
    wildcard: bool
    address_key: str = "listen_addr"
    fd: int | None = None

    def __str__(self) -> str:
        host = f"[{self.address[0]}]" if self.family == socket.AF_INET6 else self.address[0]
        return f"{host}:{self.address[1]}"


@dataclass(frozen=True, slots=True)
class Entries:
    """Where clients come in, and where administrators do; ``warnings`` are for the log."""

    unix: tuple[UnixEndpoint, ...]
    inet: tuple[InetEndpoint, ...]
    admin: tuple[UnixEndpoint, ...] = ()
    warnings: tuple[str, ...] = ()


def entries_configured(settings: Settings, where: Places, listens: bool) -> Entries:
    """Return where the settings say that clients come in; ``listens``: over the network too. Raises ConfigError."""
    inet = inet_endpoints(settings) if listens else []
    unix, admin = unix_endpoints(settings, where), admin_endpoints(settings, where)
    return Entries(tuple(unix), tuple(inet), tuple(admin))


def socket_dir(settings: Settings, where: Places) -> str:
    """Return the directory of the UNIX sockets. Raises ConfigError if it is not an absolute path."""
    configured = settings.text("unix_sock_dir")
    if configured is None:
        return where.run_dir
    if not os.path.isabs(configured):
        raise settings.error("unix_sock_dir", f'unix_sock_dir must be an absolute path, not "{configured}"')
    return os.path.normpath(configured)


def unix_endpoints(settings: Settings, where: Places) -> list[UnixEndpoint]:
    """Return the sockets for reading and writing and, in system mode only, for reading.

    Raises ConfigError for an impossible mode, group or path.
    """
    directory, group = socket_dir(settings, where), _group(settings)
    read_mode = mode(settings, "unix_sock_ro_perms")
    endpoints = [_unix(settings, directory, "-sock", _rw_mode(settings), group, readonly=False)]
    if where.is_system:
        endpoints.append(_unix(settings, directory, "-sock-ro", read_mode, group, readonly=True))
    return endpoints


def admin_endpoints(settings: Settings, where: Places) -> list[UnixEndpoint]:
    """Return the administration socket. As with libvirt there is none in session mode if unix_sock_dir is set.

    Raises ConfigError for an impossible mode or path.
    """
    bits = mode(settings, "unix_sock_admin_perms")
    if not where.is_system and settings.is_set("unix_sock_dir"):
        return []
    return [_unix(settings, socket_dir(settings, where), "-admin-sock", bits, None, readonly=False)]


def _unix(
    settings: Settings, directory: str, suffix: str, mode: int, group: int | None, *, readonly: bool
) -> UnixEndpoint:
    path = os.path.join(directory, settings.row.socket_prefix + suffix)
    check_path(settings, "unix_sock_dir", path)
    return UnixEndpoint(path, mode, group, readonly, "unix_sock_dir")


def _rw_mode(settings: Settings) -> int:
    """With polkit everybody may knock, and polkit says who comes in; without, the socket's mode says it."""
    if settings.text("auth_unix_rw") == "polkit" and not settings.is_set("unix_sock_rw_perms"):
        return 0o777
    return mode(settings, "unix_sock_rw_perms")


def check_path(settings: Settings, key: str, path: str) -> None:
    """Raise ConfigError if ``path`` is longer than the address of a UNIX socket may be."""
    size = len(os.fsencode(path))
    if size > UNIX_PATH_MAX:
        raise settings.error(
            key,
            f"the path of a UNIX socket may have at most {UNIX_PATH_MAX} bytes and {path} has {size}: "
            f"set {key} to a shorter path",
        )


def mode(settings: Settings, key: str) -> int:
    """Return the permissions that ``key`` holds as an octal string. Raises ConfigError for anything else."""
    text = settings.text(key) or ""
    if not re.fullmatch(r"0*[0-7]{1,4}", text):
        raise settings.error(key, f'{key} must be permissions in octal, such as "0770", not "{text}"')
    return int(text, 8)


def _group(settings: Settings) -> int | None:
    name = settings.text("unix_sock_group")
    if not name:
        return None
    try:
        group = grp.getgrnam(name).gr_gid
    except KeyError:
        if not re.fullmatch(r"\+?[0-9]{1,9}", name):
            raise settings.error("unix_sock_group", f'there is no group "{name}" on this host') from None
        group = int(name)
    if os.geteuid() != 0 and group not in {os.getegid(), *os.getgroups()}:
        raise settings.error("unix_sock_group", f'only root or a member can give a socket to the group "{name}"')
    return group


def inet_endpoints(settings: Settings) -> list[InetEndpoint]:
    """Return the TCP and TLS ports to listen on, one for each address.

    Raises ConfigError for a port or an address that cannot be. Looks names up, which may take time.
    """
    endpoints: list[InetEndpoint] = []
    if settings.has("listen_tcp"):
        if settings.flag("listen_tcp"):
            endpoints += _resolve(settings, "tcp_port", "tcp")
        if settings.flag("listen_tls"):
            endpoints += _resolve(settings, "tls_port", "tls")
    return endpoints


def _resolve(settings: Settings, key: str, transport: Literal["tcp", "tls"]) -> list[InetEndpoint]:
    host, port = settings.text("listen_addr") or None, _port(settings, key)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        why = error.strerror if isinstance(error, socket.gaierror) else "not a host name"
        raise settings.error("listen_addr", f'listen_addr "{host}" is no address of this host: {why}') from None
    endpoints: dict[tuple[str | int, ...], InetEndpoint] = {}
    for family, _, _, _, address in found:
        if family in {socket.AF_INET, socket.AF_INET6}:
            endpoint = InetEndpoint(family, _address(address), transport, key, host is None)
            endpoints.setdefault(endpoint.address, endpoint)
    return list(endpoints.values())


def _address(address: tuple[object, ...]) -> tuple[str, int] | tuple[str, int, int, int]:
    host, port, *rest = address
    if rest:
        flow, scope = rest
        return str(host), int(str(port)), int(str(flow)), int(str(scope))
    return str(host), int(str(port))


def _port(settings: Settings, key: str) -> int:
    text = settings.text(key) or ""
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) <= _PORT_MAX:
        return int(text)
    try:
        return socket.getservbyname(text, "tcp")
    except (OSError, ValueError):
        problem = f'{key} must be a port number of at most {_PORT_MAX} or the name of a service, not "{text}"'
        raise settings.error(key, problem) from None


def backend_sockets(settings: Settings, where: Places) -> dict[str, str]:
    """Return where each driver's daemon is reached: libvirt's places, and over them those the file names.

    Raises ConfigError for an entry that is not ``driver=/path``.
    """
    sockets = where.backend_sockets()
    for entry in settings.texts("backend_sockets") or ():
        driver, equals, path = entry.partition("=")
        driver, path = driver.strip(), path.strip()
        if not equals or not os.path.isabs(path):
            problem = f'an entry of backend_sockets must be "driver=/path/of/its/socket", not "{entry}"'
            raise settings.error("backend_sockets", problem)
        if driver not in sockets and driver not in others():
            problem = f'backend_sockets names the driver "{driver}"; the drivers are {", ".join(sockets)}'
            raise settings.error("backend_sockets", problem)
        check_path(settings, "backend_sockets", path)
        sockets[driver] = path
    return sockets


def check_directory(settings: Settings, where: Places) -> None:
    """Raise ConfigError unless the directory of the UNIX sockets is there or can be made.

    Only the mode's own directory is made; one that the file names must exist.
    """
    directory = socket_dir(settings, where)
    if os.path.isdir(directory):
        if not os.access(directory, os.W_OK | os.X_OK):
            raise settings.error("unix_sock_dir", f"this user may not create sockets in {directory}")
    elif os.path.lexists(directory):
        raise settings.error("unix_sock_dir", f"{directory} is not a directory, so no socket can be created in it")
    elif settings.text("unix_sock_dir") is not None:
        raise settings.error("unix_sock_dir", f"the directory {directory} does not exist: create it first")
