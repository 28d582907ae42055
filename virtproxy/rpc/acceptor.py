# SPDX-License-Identifier: LGPL-2.1-or-later
"""A listening socket on the reactor: accepts clients and hands each socket to a callback.

daemon/listeners binds the socket and owns the policy (limits, identity); this file only accepts.
Running out of descriptors pauses accepting for a moment instead of spinning on the socket.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy.rpc.reactor import StreamReactor

# More would starve the clients that are already connected: making a new one's session takes longer than most calls.
ACCEPTS_PER_TURN = 2
EXHAUSTED_PAUSE_SECONDS = 0.5
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


@implementer(IReadDescriptor)
class Acceptor:
    """Calls `accepted(sock, address)` for each new client of the listening socket `sock`."""

    _log = Logger()

    def __init__(
        self,
        reactor: StreamReactor,
        sock: socket.socket,
        accepted: Callable[[socket.socket, object], None],
    ) -> None:
        sock.setblocking(False)
        self._reactor = reactor
        self._sock = sock
        self._accepted = accepted
        self._paused = True
        self._closed = False

    def resume(self) -> None:
        """Accept (again)."""
        if self._paused and not self._closed:
            self._paused = False
            self._reactor.addReader(self)

    def pause(self) -> None:
        """Leave new clients in the kernel's backlog."""
        if not self._paused:
            self._paused = True
            self._reactor.removeReader(self)

    def close(self) -> None:
        """Stop for good and close the socket; its path is the caller's to remove."""
        self.pause()
        self._closed = True
        self._sock.close()

    def doRead(self) -> None:
        """Called by the reactor when clients are waiting."""
        for _ in range(ACCEPTS_PER_TURN):
            if self._paused:
                return
            try:
                client, address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as failure:
                self._refused(failure)
                return
            self._accepted(client, address)

    def take_waiting(self) -> list[Callable[[], None]]:
        """Accept everybody who waits, for a socket about to be closed; each is served when its function is called."""
        waiting: list[Callable[[], None]] = []
        while True:
            try:
                client, address = self._sock.accept()
            except OSError:
                return waiting
            waiting.append(partial(self._accepted, client, address))

    def _refused(self, failure: OSError) -> None:
        self._log.warn("cannot accept a client: {failure}", failure=failure)
        if failure.errno in _EXHAUSTED:
            self._reactor.removeReader(self)
            self._reactor.callLater(EXHAUSTED_PAUSE_SECONDS, self._rested)

    def _rested(self) -> None:
        """Go on after a rest, unless somebody paused us meanwhile."""
        if not self._paused:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        """The descriptor, for the reactor."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        """Twisted shows it in log lines."""
        return "virtproxy"

    def connectionLost(self, reason: Failure) -> None:
        """Called by the reactor when the listening socket itself broke."""
        self._log.error("a listening socket broke: {reason}", reason=reason.getErrorMessage())
        self.close()
