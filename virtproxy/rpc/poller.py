# SPDX-License-Identifier: LGPL-2.1-or-later
"""An epoll of our own for the sockets of the hot path, hung into the reactor as one descriptor.

A daemon makes one and passes it to its transports in the reactor's place: adding and removing readers
and writers has the same names. A turn of Twisted's loop costs more than relaying a call, so once
awake the poller serves its sockets for a few rounds before it gives the loop its turn; and after a
call was passed on by an otherwise idle daemon it may watch for the answer for some microseconds
without sleeping, because waking a sleeping process takes longer than most calls do.
"""

from __future__ import annotations

import select
import time

from twisted.internet import error
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.transport import SocketTransport

# Rounds before the reactor gets its turn: its timers and signals must not starve.
ROUNDS = 8
EVENTS_A_ROUND = 64
# A single conversation is one client's socket and one daemon's. After that many events of the same two
# sockets watching pays; with more sockets busy it would only take the processor from their peers.
CALM_EVENTS = 16
_IN = select.EPOLLIN
_OUT = select.EPOLLOUT
_BROKEN = select.EPOLLERR | select.EPOLLHUP
_clock = time.perf_counter_ns


@implementer(IReadDescriptor)
class Poller:
    """Serves transports; provides the part of the reactor's interface that they use."""

    _log = Logger()

    def __init__(self, reactor: StreamReactor, busy_poll_us: int = 0) -> None:
        self._reactor = reactor
        self._watch_ns = busy_poll_us * 1000
        self._epoll = select.epoll()
        self._transports: dict[int, SocketTransport] = {}
        self._masks: dict[int, int] = {}
        # The two sockets served last, and how many events in a row were theirs.
        self._pair = (-1, -1)
        self._calm = 0
        self.callLater = reactor.callLater
        self.seconds = reactor.seconds
        reactor.addReader(self)

    # What transports call

    def addReader(self, transport: SocketTransport) -> None:
        """Call `transport.doRead` when it is readable."""
        self._set(transport, self._masks.get(transport.fileno(), 0) | _IN)

    def addWriter(self, transport: SocketTransport) -> None:
        """Call `transport.doWrite` when it is writable."""
        self._set(transport, self._masks.get(transport.fileno(), 0) | _OUT)

    def removeReader(self, transport: SocketTransport) -> None:
        """Stop calling `doRead`."""
        self._set(transport, self._masks.get(transport.fileno(), 0) & ~_IN)

    def removeWriter(self, transport: SocketTransport) -> None:
        """Stop calling `doWrite`."""
        self._set(transport, self._masks.get(transport.fileno(), 0) & ~_OUT)

    def _set(self, transport: SocketTransport, mask: int) -> None:
        fd = transport.fileno()
        before = self._masks.get(fd, 0)
        if mask == before:
            return
        if not mask:
            del self._masks[fd], self._transports[fd]
            self._epoll.unregister(fd)
            return
        self._masks[fd] = mask
        self._transports[fd] = transport
        if before:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)

    # What the reactor calls

    def doRead(self) -> None:
        """Some transport is ready: serve all that are, for a few rounds."""
        for _ in range(ROUNDS):
            if self._epoll.closed:  # by what the round before served
                return
            events = self._epoll.poll(0, EVENTS_A_ROUND)
            if not events:
                if self._calm < CALM_EVENTS or not self._watch_ns:
                    return
                events = self._watch()
                if not events:
                    return
            for fd, event in events:
                if fd in self._pair:
                    self._calm += 1
                else:
                    self._calm = 0
                    self._pair = (self._pair[1], fd)
                transport = self._transports.get(fd)
                if transport is not None:
                    self._serve(transport, event)
                    if transport.bulk:
                        self._calm = 0

    def _watch(self) -> list[tuple[int, int]]:
        """Wait without sleeping; gives up after the configured time."""
        poll = self._epoll.poll
        end = _clock() + self._watch_ns
        while _clock() < end:
            events = poll(0, EVENTS_A_ROUND)
            if events:
                return events
        return []

    def _serve(self, transport: SocketTransport, event: int) -> None:
        """One transport's turn; whatever goes wrong ends that connection and no other."""
        try:
            why = self._turn(transport, event)
        except Exception:
            self._log.failure("serving a connection failed")
            why = error.ConnectionLost("internal error")
        if why is not None:
            transport.connectionLost(Failure(why))

    @staticmethod
    def _turn(transport: SocketTransport, event: int) -> Exception | None:
        if event & _IN:
            why = transport.doRead()
            if why is not None or not event & _OUT or transport.disconnected:
                return why
        elif event & _BROKEN and not event & _OUT:
            return error.ConnectionLost("the socket broke")
        return transport.doWrite() if event & _OUT else None

    def close(self) -> None:
        """Leave the reactor; transports must be gone."""
        self._reactor.removeReader(self)
        self._epoll.close()

    def fileno(self) -> int:
        """The epoll's descriptor: readable when a transport is ready."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    def logPrefix(self) -> str:
        """Twisted shows it in log lines."""
        return "virtproxy"

    def connectionLost(self, reason: Failure) -> None:
        """Called when the reactor stops."""
        if not self._epoll.closed:
            self._epoll.close()
