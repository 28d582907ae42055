# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens listening sockets, and says beforehand why one could not be opened.

Called by ``plan`` (the checks) and ``listeners`` (the opening). A UNIX socket listens only after it has its group
and its mode, so nobody connects too early. It must accept nothing.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from dataclasses import dataclass

from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.failure import ExitCode, StartupError, reason

# What libvirt passes to listen() when max_queued_clients is 0.
_BACKLOG_DEFAULT = 30
_BACKLOG_MAX = 2**31 - 1
_ABSENT = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


class SocketError(StartupError):
    """A listening socket that cannot be had."""

    exit_code = ExitCode.NETWORK


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """A socket that listens, and for a UNIX one which file it made, so that only that one is removed."""

    socket: socket.socket
    endpoint: UnixEndpoint | InetEndpoint
    inode: tuple[int, int] | None = None

    def remove(self) -> None:
        """Remove the file of a UNIX socket if it is still the one that was made here; close the socket."""
        if isinstance(self.endpoint, UnixEndpoint):
            for path in (self.endpoint.path, _hidden(self.endpoint.path)):
                if self._made(path):
                    os.unlink(path)
        self.socket.close()

    def hide(self) -> bool:
        """Let nobody connect any more who is not waiting already; False if there is no file that may be moved."""
        return isinstance(self.endpoint, UnixEndpoint) and self._move(self.endpoint.path, _hidden(self.endpoint.path))

    def show(self) -> bool:
        """Let clients connect again after ``hide``."""
        return isinstance(self.endpoint, UnixEndpoint) and self._move(_hidden(self.endpoint.path), self.endpoint.path)

    def shut(self) -> bool:
        """Refuse whoever still finds the socket, for good; False if it is no socket that was made here.

        Who is waiting by then can be accepted: Linux refuses at a listening socket that is shut down for reading.
        """
        if self.inode is not None:
            self.socket.shutdown(socket.SHUT_RD)
        return self.inode is not None

    def _move(self, source: str, target: str) -> bool:
        if not self._made(source):
            return False
        try:
            os.rename(source, target)
        except OSError:
            return False
        return True

    def _made(self, path: str) -> bool:
        """Whether ``path`` is the file that was made here."""
        return self.inode is not None and _inode(path) == self.inode


def _hidden(path: str) -> str:
    """Where the file of a socket is while its daemon makes up its mind whether to end."""
    return f"{path}.leaving"


def _inode(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _holder(probe: socket.socket) -> str:
    """Who listens at the other end: the process that called listen()."""
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
    except OSError:
        return f"process {pid}"
    return f"process {pid} ({name})"


def check_unix(endpoint: UnixEndpoint) -> bool:
    """Return whether a stale socket lies at the endpoint's path, which may then be removed.

    Raises SocketError if a live daemon listens there (it says whose process) or something else is there.
    """
    path = endpoint.path
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SocketError(f"cannot look at {path}: {reason(error)}") from None
    if not stat.S_ISSOCK(found.st_mode):
        raise SocketError(f"{path} exists and is not a socket: move it away or set {endpoint.key}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except BlockingIOError:
            raise SocketError(f"{path} is in use by a live daemon: stop it or set {endpoint.key}") from None
        except OSError as error:
            raise SocketError(f"cannot tell whether {path} is in use: {reason(error)}") from None
        raise SocketError(f"{path} is in use by {_holder(probe)}: stop it or set {endpoint.key}")


def adopt(endpoint: UnixEndpoint | InetEndpoint, fd: int) -> OpenSocket:
    """Return the listening socket that the service manager passed as ``fd``; its file is not ours to remove."""
    os.set_inheritable(fd, False)
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    return OpenSocket(sock, endpoint)


def open_unix(endpoint: UnixEndpoint, backlog: int) -> OpenSocket:
    """Return a listening UNIX socket; a stale one is replaced. Raises SocketError."""
    if check_unix(endpoint):
        os.unlink(endpoint.path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    opened = OpenSocket(sock, endpoint)
    try:
        sock.setblocking(False)
        _bind_private(sock, endpoint.path)
        opened = OpenSocket(sock, endpoint, _inode(endpoint.path))
        if endpoint.group is not None:
            os.chown(endpoint.path, -1, endpoint.group)
        os.chmod(endpoint.path, endpoint.mode)
        sock.listen(_backlog(backlog))
    except OSError as error:
        opened.remove()
        raise SocketError(f"cannot listen on {endpoint.path}: {reason(error)}") from None
    return opened


def _bind_private(sock: socket.socket, path: str) -> None:
    """Bind so that only the owner may knock until the file gets its mode; who does is refused, as nobody listens yet.

    The owner's libvirt client tries until the daemon that it started is there, but takes "permission denied" for final.
    """
    before = os.umask(0o177)
    try:
        sock.bind(path)
    finally:
        os.umask(before)


def check_inet(endpoint: InetEndpoint) -> bool:
    """Return whether the endpoint's address can be listened on; False for a family that this host lacks.

    Raises SocketError if the port is taken or may not be used.
    """
    sock = _bound(endpoint)
    if sock is None:
        return False
    sock.close()
    return True


def open_inet(endpoint: InetEndpoint, backlog: int) -> OpenSocket | None:
    """Return a listening TCP socket, or None for a family that this host lacks. Raises SocketError."""
    sock = _bound(endpoint)
    if sock is None:
        return None
    try:
        sock.listen(_backlog(backlog))
    except OSError as error:
        sock.close()
        raise _inet_error(endpoint, error) from None
    return OpenSocket(sock, endpoint)


def _bound(endpoint: InetEndpoint) -> socket.socket | None:
    try:
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
    except OSError as error:
        _refuse_unless_absent(endpoint, error)
        return None
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if endpoint.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(endpoint.address)
    except OSError as error:
        sock.close()
        _refuse_unless_absent(endpoint, error)
        return None
    return sock


def _refuse_unless_absent(endpoint: InetEndpoint, error: OSError) -> None:
    if not (endpoint.wildcard and error.errno in _ABSENT):
        raise _inet_error(endpoint, error) from None


def _inet_error(endpoint: InetEndpoint, error: OSError) -> SocketError:
    if error.errno == errno.EADDRINUSE:
        advice = f"the port is taken; stop what listens there or set {endpoint.key}"
    elif error.errno == errno.EACCES:
        advice = f"this user may not use the port; set {endpoint.key} to one above 1023"
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = f"the host does not have this address; set {endpoint.address_key}"
    else:
        advice = reason(error)
    return SocketError(f"cannot listen for {endpoint.transport.upper()} clients on {endpoint}: {advice}")


def _backlog(wanted: int) -> int:
    return min(wanted, _BACKLOG_MAX) or _BACKLOG_DEFAULT
