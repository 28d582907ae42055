# SPDX-License-Identifier: LGPL-2.1-or-later
"""The listening sockets that systemd passes (sd_listen_fds(3)): which there are, and what each is for.

Called by ``plan``, before anything is opened. A socket is known by its name, which is its unit's, or else by its
address. Several may be of one kind. It must neither read from a socket nor close one.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from virtproxy.daemon.endpoints import Entries, InetEndpoint, UnixEndpoint
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.options import DaemonOptions
from virtproxy.daemon.settings import Settings
from virtproxy.daemon.units import PATHS, SocketKind, kinds, socket_unit

# The first descriptor that is passed, SD_LISTEN_FDS_START.
_FIRST = 3
# No unit has so many sockets; a wrong number must not keep us busy.
_COUNT_MAX = 1024

# What says so instead, where systemd listens.
_INSTEAD = {
    "listen_tcp": "enable or disable {name}-tcp.socket",
    "listen_tls": "enable or disable {name}-tls.socket",
    "tcp_port": "set ListenStream= in {name}-tcp.socket",
    "tls_port": "set ListenStream= in {name}-tls.socket",
    "listen_addr": "set ListenStream=ADDRESS:PORT in {name}-tcp.socket and {name}-tls.socket",
    "unix_sock_dir": "set ListenStream= in {name}.socket, {name}-ro.socket and {name}-admin.socket",
    "unix_sock_group": "set SocketGroup= in {name}.socket",
    "unix_sock_rw_perms": "set SocketMode= in {name}.socket",
    "unix_sock_ro_perms": "set SocketMode= in {name}-ro.socket",
    "unix_sock_admin_perms": "set SocketMode= in {name}-admin.socket",
    "max_queued_clients": "set Backlog= in {name}.socket",
    "admin_max_queued_clients": "set Backlog= in {name}-admin.socket",
}


class ActivationError(StartupError):
    """Sockets were passed that the daemon cannot use."""

    exit_code = ExitCode.NETWORK


@dataclass(frozen=True, slots=True)
class Passed:
    """A descriptor and the name that came with it; "" if none did."""

    fd: int
    name: str


def passed_sockets(options: DaemonOptions, environ: Mapping[str, str]) -> list[Passed]:
    """Return what was passed to this process; mostly nothing. Raises StartupError, also if ``options`` contradict."""
    found = _passed(environ, os.getpid())
    if found and options.asks_to_listen:
        name = options.row.name
        instead = f"leave it out, and enable {name}-tls.socket or {name}-tcp.socket"
        raise StartupError(f"--listen is not for where systemd listens: {instead}", ExitCode.CONFIGURATION)
    return found


def _passed(environ: Mapping[str, str], pid: int) -> list[Passed]:
    if environ.get("LISTEN_PID", "") != str(pid):
        return []  # not passed at all, or to the process that started this one
    text = environ.get("LISTEN_FDS", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= _COUNT_MAX):
        raise ActivationError(f"LISTEN_FDS must be the number of passed sockets, not {text[:40]!r}")
    count = int(text)
    names = environ["LISTEN_FDNAMES"].split(":") if environ.get("LISTEN_FDNAMES") else [""] * count
    if len(names) != count:
        raise ActivationError(f"LISTEN_FDNAMES has {len(names)} names for the {count} sockets of LISTEN_FDS")
    return [Passed(_FIRST + index, name) for index, name in enumerate(names)]


def entries_passed(found: Sequence[Passed], settings: Settings) -> Entries:
    """Return what each passed socket is for. Raises ActivationError for one that is for nothing."""
    unix: list[UnixEndpoint] = []
    inet: list[InetEndpoint] = []
    admin: list[UnixEndpoint] = []
    for each in found:
        sock = _listening(each)
        try:
            kind = _kind(each, sock, settings)
            if kind == "tcp" or kind == "tls":
                inet.append(InetEndpoint(sock.family, sock.getsockname(), kind, "systemd", False, fd=each.fd))
            else:
                endpoint = UnixEndpoint(_path(sock), _mode(sock), None, kind == "ro", "systemd", fd=each.fd)
                (admin if kind == "admin" else unix).append(endpoint)
        finally:
            sock.detach()
    return Entries(tuple(unix), tuple(inet), tuple(admin), (*_overridden(settings), *_open_doors(settings, unix)))


def _listening(each: Passed) -> socket.socket:
    """The socket object of a descriptor; the caller detaches it again."""
    what = f"descriptor {each.fd} ({each.name or 'without a name'}), which was passed,"
    try:
        if not stat.S_ISSOCK(os.fstat(each.fd).st_mode):
            raise ActivationError(f"{what} is not a socket")
    except OSError:
        raise ActivationError(f"{what} is not open") from None
    sock = socket.socket(fileno=each.fd)
    families = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
    if sock.family not in families or sock.type != socket.SOCK_STREAM:
        problem = "is not a UNIX or TCP socket: its unit wants ListenStream="
    elif not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        problem = "does not listen: its unit wants Accept=no"
    else:
        return sock
    sock.detach()
    raise ActivationError(f"{what} {problem}")


def _kind(each: Passed, sock: socket.socket, settings: Settings) -> SocketKind:
    is_unix = sock.family == socket.AF_UNIX
    kind = _by_name(each.name, settings) or _by_address(sock, settings)
    if kind is None:
        wanted = ", ".join(socket_unit(settings.row, each) for each in kinds(settings.row))
        raise ActivationError(
            f"{settings.row.name} has no use for the socket {each.name or each.fd} ({_shown(sock)}), which was passed; "
            f"it knows the names {wanted}"
        )
    if is_unix != (kind in PATHS):
        wants = "a UNIX socket" if kind in PATHS else "an IP address and port"
        raise ActivationError(f"the socket {each.name}, which was passed, is {_shown(sock)} and should be {wants}")
    return kind


def _by_name(name: str, settings: Settings) -> SocketKind | None:
    for kind in kinds(settings.row):
        unit = socket_unit(settings.row, kind)
        if name in {unit, unit.removesuffix(".socket"), kind}:
            return kind
    return None


def _by_address(sock: socket.socket, settings: Settings) -> SocketKind | None:
    if sock.family == socket.AF_UNIX:
        name = os.path.basename(_path(sock)).removeprefix(settings.row.socket_prefix)
        return next((kind for kind, suffix in PATHS.items() if name == suffix), None)
    port = str(sock.getsockname()[1])
    if not settings.row.listens_on_network:
        return None
    if port == settings.text("tls_port"):
        return "tls"
    return "tcp" if port == settings.text("tcp_port") else None


def _path(sock: socket.socket) -> str:
    address = sock.getsockname()
    return "@" + os.fsdecode(address[1:]) if isinstance(address, bytes) else str(address)


def _mode(sock: socket.socket) -> int:
    """The permissions of a UNIX socket's file; all, if it has none to keep anybody out."""
    try:
        return stat.S_IMODE(os.stat(_path(sock)).st_mode)
    except OSError:
        return 0o777


def _shown(sock: socket.socket) -> str:
    return _path(sock) if sock.family == socket.AF_UNIX else "{0[0]} port {0[1]}".format(sock.getsockname())


def _overridden(settings: Settings) -> Iterator[str]:
    """A sentence for each setting that has no effect because systemd listens."""
    for key, instead in _INSTEAD.items():
        if settings.has(key) and settings.is_set(key):
            advice = instead.format(name=settings.row.name)
            yield f"{settings.place(key)}: {key} has no effect where systemd listens: {advice}"


def _open_doors(settings: Settings, sockets: Iterable[UnixEndpoint]) -> Iterator[str]:
    """A sentence for each socket where everybody may do everything: the unit's mode and our setting do not fit."""
    for each in sockets:
        if not each.readonly and each.mode & 0o002 and settings.text("auth_unix_rw") == "none":
            yield (
                f"everybody on this host can do everything through {each.path}: its mode is {each.mode:04o} and "
                f'auth_unix_rw is "none"; set SocketMode=0600 in {settings.row.name}.socket, or auth_unix_rw = "polkit"'
            )
