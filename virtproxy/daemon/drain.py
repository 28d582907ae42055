# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lets the clients of a daemon that ends finish what is on its way (``drain_timeout``), and closes them.

``service`` runs one when it stops; nobody new comes in by then. A client is closed as soon as it is owed nothing; what
is left when the time is over is answered with an error. It must not close listening sockets.
"""

from __future__ import annotations

import fcntl
import socket
import termios
from array import array
from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.daemon.present import Present
from virtproxy.routing.session import Session
from virtproxy.rpc.reactor import Clock

# How often it is looked who is owed nothing more. The first look is after what had already been sent was read.
LOOK_SECONDS = 0.1
# For so long clients are heard out, so that each call is refused in words; one that never stops is not waited for.
SETTLE_SECONDS = 5.0
# How long clients may take to swallow what is queued for them.
FAREWELL_SECONDS = 2.0
REASON = "the daemon stops"
REFUSED = errors.internal("the daemon is stopping: the call was not made")
CUT_OFF = errors.internal("the daemon stopped before the call was answered; it may still take effect")
BROKEN_OFF = errors.internal("the daemon is stopping: the stream was broken off")


class Drain:
    """Ends clients: ``present``, by number, loses those that are gone, and ``nobody_is_left`` says when all are.

    ``seconds`` is how long calls in flight may take.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        seconds: float,
        present: Mapping[int, Present[Session]],
        nobody_is_left: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self.seconds = seconds
        self._present = present
        self._nobody_is_left = nobody_is_left
        # What ends those who are owed nothing: administrators.
        self.others: Callable[[], list[Callable[[str], None]]] = list
        # Clients that were closed with something unread.
        self._unheard = 0
        self._hurried = False
        # What is waited for at the moment, and for how long at most.
        self._pause: tuple[Deferred[None], IDelayedCall] | None = None
        self._farewell = False

    async def run(self) -> None:
        """Return when every client is gone, or has had its time to go."""
        await self._finish_calls()
        self._cut_off()
        self._farewell = True
        for end in [client.end for client in self._present.values()] + self.others():
            end(REASON)
        if not self._nobody_is_left() and not self._hurried:
            await self._sleep(FAREWELL_SECONDS)

    def left(self) -> None:
        """A client is gone."""
        if self._farewell and self._nobody_is_left():
            self._wake()

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._hurried = True
        self._wake()

    def _sessions(self) -> list[tuple[Present[Session], Session]]:
        """Who speaks the protocol already."""
        return [(client, client.session) for client in self._present.values() if client.session is not None]

    async def _finish_calls(self) -> None:
        sessions = self._sessions()
        for _, session in sessions:
            session.refuse_calls(REFUSED)
        if not sessions or not self.seconds:
            return
        words = "{clients} clients are to finish {calls} calls in at most {seconds} s (drain_timeout)"
        self._log.info(words, clients=len(sessions), calls=self._owed(), seconds=self.seconds)
        now = self._clock.seconds()
        settled, over = now + SETTLE_SECONDS, now + self.seconds
        while not self._hurried and now < over:
            await self._sleep(LOOK_SECONDS)
            now = self._clock.seconds()
            for client, session in self._sessions():
                if not session.client.in_flight and (now > settled or not _asks(client, session)):
                    self._close(client, session)
            if all(session.client.closed for _, session in self._sessions()):
                return

    def _owed(self) -> int:
        return sum(session.client.in_flight for _, session in self._sessions())

    def _cut_off(self) -> None:
        owed = self._owed()
        if owed:
            self._log.warn("{calls} calls are cut off: they were not answered in time (drain_timeout)", calls=owed)
        for client, session in self._sessions():
            self._close(client, session)
        if self._unheard:
            self._log.warn("{clients} clients were closed while they still asked", clients=self._unheard)

    def _close(self, client: Present[Session], session: Session) -> None:
        if not session.client.closed:
            self._unheard += _asks(client, session)
            session.break_off(BROKEN_OFF, CUT_OFF)
            client.end(REASON)

    async def _sleep(self, seconds: float) -> None:
        over: Deferred[None] = Deferred()
        self._pause = over, self._clock.callLater(seconds, self._wake)
        await over

    def _wake(self) -> None:
        if self._pause is not None:
            over, timer = self._pause
            self._pause = None
            if timer.active():
                timer.cancel()
            over.callback(None)


def _asks(client: Present[Session], session: Session) -> bool:
    """Whether there is something of the client's that was not looked at yet: calls that want to be refused."""
    if session.client.closed:
        return False
    return session.client.unprotected or (client.socket is not None and unread(client.socket))


def unread(sock: socket.socket) -> bool:
    """Whether the kernel has bytes of the peer's that nobody has read."""
    waiting = array("i", [0])
    try:
        fcntl.ioctl(sock, termios.FIONREAD, waiting)
    except (OSError, ValueError):
        return False
    return waiting[0] > 0
