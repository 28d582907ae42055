# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon's listening sockets on the reactor: opened together, paused together, closed together.

Called by ``service`` with what to do for each accepted socket. It must not decide who may come in.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable

from twisted.logger import Logger

from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.queued import queued
from virtproxy.daemon.sockets import OpenSocket, SocketError, adopt, open_inet, open_unix
from virtproxy.rpc.acceptor import Acceptor
from virtproxy.rpc.reactor import StreamReactor

# Takes an accepted socket, the peer's address and the endpoint it came in by.
Accepted = Callable[[socket.socket, object, UnixEndpoint | InetEndpoint], None]


class Listeners:
    """Every listening socket of a daemon; ``backlog`` is how many clients may wait in each."""

    _log = Logger()

    def __init__(self, reactor: StreamReactor, backlog: int, accepted: Accepted) -> None:
        self._reactor = reactor
        self._backlog = backlog
        self._accepted = accepted
        self._open: list[OpenSocket] = []
        self._acceptors: list[Acceptor] = []

    def open(self, endpoints: Iterable[UnixEndpoint | InetEndpoint]) -> None:
        """Listen on all of ``endpoints``, or on none. Raises SocketError. Accepts nobody before ``resume``."""
        try:
            for endpoint in endpoints:
                self._open_one(endpoint)
        except BaseException:
            self.close()
            raise

    def _open_one(self, endpoint: UnixEndpoint | InetEndpoint) -> None:
        if endpoint.fd is not None:
            opened: OpenSocket | None = adopt(endpoint, endpoint.fd)
        elif isinstance(endpoint, UnixEndpoint):
            opened = open_unix(endpoint, self._backlog)
        else:
            opened = open_inet(endpoint, self._backlog)
        if opened is not None:
            self._open.append(opened)
            acceptor = Acceptor(
                self._reactor, opened.socket, lambda sock, address: self._accepted(sock, address, endpoint)
            )
            self._acceptors.append(acceptor)

    @property
    def addresses(self) -> list[tuple[UnixEndpoint | InetEndpoint, str]]:
        """What is listened on, with the port the kernel chose where the endpoint asked for any."""
        return [(opened.endpoint, _name(opened)) for opened in self._open]

    @property
    def queued(self) -> int:
        """How many clients are connected and wait to be accepted."""
        return sum(queued(opened.socket) for opened in self._open)

    def resume(self) -> None:
        """Accept clients."""
        for acceptor in self._acceptors:
            acceptor.resume()

    def pause(self) -> None:
        """Leave new clients waiting in the kernel."""
        for acceptor in self._acceptors:
            acceptor.pause()

    def leave(self, *others: Listeners) -> bool:
        """Stop listening, as ``close`` does, unless a client waits to be accepted; False if one does.

        ``others`` are left with these, all or none. Who comes while this is done is not lost: the files of UNIX sockets
        are hidden first, so that nobody more finds them, and only then is looked whether somebody has; who had found
        one before, and connects after the look, is accepted, and the socket made anew. Sockets that a service manager
        gave stay in its hands, with who waits there.
        """
        every = (self, *others)
        if any(listeners._anybody_waits() for listeners in every):
            return False
        hidden = [opened for listeners in every for opened in listeners._open if opened.hide()]
        if any(listeners._anybody_waits() for listeners in every):
            for opened in hidden:
                opened.show()
            return False
        late = [serve for listeners in every for serve in listeners._shut()]
        for listeners in every:
            if late:
                listeners._reopen()
            else:
                listeners.close()
        for serve in late:
            serve()
        return not late

    def _shut(self) -> list[Callable[[], None]]:
        """Refuse everybody at the UNIX sockets made here; what serves those who were too early for that."""
        shut = [acceptor for opened, acceptor in zip(self._open, self._acceptors, strict=True) if opened.shut()]
        return [serve for acceptor in shut for serve in acceptor.take_waiting()]

    def _reopen(self) -> None:
        """Make sockets anew that were shut; one whose place somebody else took meanwhile is left to them."""
        before = list(zip(self._open, self._acceptors, strict=True))
        self._open, self._acceptors = [], []
        for opened, acceptor in before:
            if opened.inode is None:
                self._open.append(opened)
                self._acceptors.append(acceptor)
                continue
            acceptor.pause()
            opened.remove()
            try:
                self._open_one(opened.endpoint)
            except SocketError as error:
                self._log.warn("{error}", error=error)
        self.resume()

    def _anybody_waits(self) -> bool:
        poll = select.poll()
        for opened in self._open:
            poll.register(opened.socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Stop listening and remove the UNIX sockets."""
        for acceptor in self._acceptors:
            acceptor.pause()
        for opened in self._open:
            opened.remove()
        self._acceptors.clear()
        self._open.clear()


def _name(opened: OpenSocket) -> str:
    if isinstance(opened.endpoint, UnixEndpoint):
        return opened.endpoint.path
    return inet_name(opened.socket.getsockname())


def inet_name(address: object) -> str:
    """Return an IP address and port as text, for logs: ``[::1]:16514``."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "unknown"
    # On a socket for both families, as systemd makes them, an IPv4 client has an address of IPv6's (RFC 4291).
    host = str(address[0]).removeprefix("::ffff:") if "." in str(address[0]) else str(address[0])
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
