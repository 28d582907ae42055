# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server end of a connection: an accepted client, its calls in flight, and who serves them.

daemon/ makes one per client and gives it a session. This file counts and orders; the session
decides. Events and stream packets pass outside the limit on calls, and a lane that is stuck does not
hold up calls of another: a lane is whatever serves a call, as the session tells them apart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from virtproxy.rpc.connection import Connection
from virtproxy.rpc.reactor import Clock
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, STREAM, STREAM_HOLE, Frame
from virtproxy.wire.framer import Sink

# How much may wait for its turn before nothing more is read: enough to see keepalive and a goodbye behind it.
WAITING_CALLS_MAX = 64
WAITING_BYTES_MAX = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the configuration says of each client: calls in flight, keepalive seconds and count."""

    max_requests: int = 5
    keepalive_interval: int = 5
    keepalive_count: int = 5


class ServerSession(Protocol):
    """What serves a client; none of these may raise."""

    # How many packets went on to whoever serves them.
    passed_on: int

    def call(self, frame: Frame) -> None:
        """Serve a call; it is answered by `ServerConnection.reply` once, now or later."""

    def lane(self, frame: Frame) -> int | None:
        """What would serve a call, as a number; None if that cannot be told or is nobody in particular."""

    def has_room(self, lane: int | None, most: int) -> bool:
        """Whether a lane can serve one more, because it owes the client fewer than `most` answers."""

    def stream(self, frame: Frame) -> None:
        """Take a stream packet."""

    def passage(self, head: Frame) -> Sink | None:
        """Where a large packet should go as it comes; None to have it whole by `stream`."""

    def client_full(self) -> None:
        """The client reads too slowly: produce nothing more for it."""

    def client_drained(self) -> None:
        """The client reads again."""

    def client_lost(self, reason: str) -> None:
        """The client is gone."""


class ServerConnection(Connection):
    """One accepted client."""

    def __init__(
        self,
        clock: Clock,
        settings: ServerSettings,
        open_session: Callable[[ServerConnection], ServerSession],
        closed: Callable[[ServerConnection], None] = lambda connection: None,
    ) -> None:
        super().__init__(clock, settings.keepalive_interval, settings.keepalive_count)
        self._max_requests = settings.max_requests
        self._open_session = open_session
        self._closed_callback = closed
        self._session: ServerSession
        self._in_flight = 0
        # Calls over the limit, by lane.
        self._waiting: dict[int | None, deque[Frame]] = {}
        self._waiting_calls = 0
        self._waiting_bytes = 0
        self._serving_waiting = False
        self._passed_on = 0

    def connected(self) -> None:
        """Open the session that serves this client."""
        self._session = self._open_session(self)

    def frame_received(self, frame: Frame) -> None:
        """Pass calls (within the limit) and stream packets on; other types are not for a server."""
        kind = frame.type
        if kind == CALL or kind == CALL_WITH_FDS:
            if self._in_flight < self._max_requests and not self._waiting:
                self._in_flight += 1
                self._session.call(frame)
            else:
                self._over_the_limit(frame)
        elif kind == STREAM or kind == STREAM_HOLE:
            self._session.stream(frame)
        else:
            self.discard(frame)

    def made_progress(self) -> bool:
        """Whether any packet since the last look went on to a daemon, and was not just answered or dropped here."""
        before, self._passed_on = self._passed_on, self._session.passed_on
        return self._passed_on != before

    @property
    def in_flight(self) -> int:
        """How many calls are being served."""
        return self._in_flight

    @property
    def waiting_calls(self) -> int:
        """How many calls wait for their turn."""
        return self._waiting_calls

    def waiting(self) -> Iterator[Frame]:
        """Yield the calls over the limit, which wait for their turn."""
        for calls in self._waiting.values():
            yield from calls

    def _over_the_limit(self, frame: Frame) -> None:
        """Serve a call if its lane is not what holds the others up; else it waits."""
        lane = self._session.lane(frame)
        if lane not in self._waiting and self._may_pass(lane):
            self._in_flight += 1
            self._session.call(frame)
            return
        self._waiting.setdefault(lane, deque()).append(frame)
        self._waiting_calls += 1
        self._waiting_bytes += len(frame.raw)
        if self._too_much_waits():
            self.hold("requests")

    def _may_pass(self, lane: int | None) -> bool:
        return self._in_flight < self._max_requests or self._session.has_room(lane, self._max_requests)

    def _too_much_waits(self) -> bool:
        return self._waiting_calls >= WAITING_CALLS_MAX or self._waiting_bytes >= WAITING_BYTES_MAX

    def passage(self, head: Frame) -> Sink | None:
        """A large stream packet may pass on while it comes."""
        return self._session.passage(head) if head.type == STREAM else None

    def reply(self, frame: Frame) -> None:
        """Send the answer to a call, and start those that waited for one."""
        self.send(frame)
        self._in_flight -= 1
        if self._waiting and not self._serving_waiting:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Serve what may pass now, one call of each lane in turn."""
        self._serving_waiting = True
        passed = True
        while passed:
            passed = False
            for lane in list(self._waiting):
                if not self.closed and self._may_pass(lane):
                    passed = True
                    self._in_flight += 1
                    self._session.call(self._next_of(lane))
        self._serving_waiting = False
        if not self._too_much_waits():
            self.release("requests")

    def _next_of(self, lane: int | None) -> Frame:
        queue = self._waiting[lane]
        frame = queue.popleft()
        if not queue:
            del self._waiting[lane]
        self._waiting_calls -= 1
        self._waiting_bytes -= len(frame.raw)
        return frame

    @property
    def unprotected(self) -> bool:
        """Whether something came that was not yet looked at; calls over the limit are such."""
        return bool(self._waiting) or super().unprotected

    def unread(self) -> None:
        """The client does not read: it gets no more answers, and may ask no more."""
        self.hold("unread")
        self._session.client_full()

    def drained(self) -> None:
        """The client reads again."""
        self._session.client_drained()
        self.release("unread")

    def lost(self, reason: str) -> None:
        """Drop what waited and end the session."""
        for lane in list(self._waiting):
            for frame in self._waiting.pop(lane):
                self.discard(frame)
        self._session.client_lost(reason)
        self._closed_callback(self)
