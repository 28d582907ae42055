# SPDX-License-Identifier: LGPL-2.1-or-later
"""How old the calls in flight are, without a clock read for any of them.

Once a second the calls that have no answer yet are looked through, and those not seen before are dated. Calls that
are answered within that second, nearly all, cost nothing. Where there is much to look through it is done less often:
LOOK_SHARE of the processor at most. ``insight`` asks; no timer runs without clients.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from twisted.internet.interfaces import IDelayedCall

from virtproxy.routing.running import Running, running_calls
from virtproxy.routing.session import Session
from virtproxy.rpc.reactor import Clock
from virtproxy.wire.frame import Frame

LOOK_SECONDS = 1.0
LOOK_SHARE = 0.005
# More are not dated: looking at one takes a microsecond, and calls have to pass meanwhile.
CALLS_MAX = 10_000


_processor_time = time.thread_time


class Aged(NamedTuple):
    """A call in flight and its age in seconds."""

    client: int
    call: Running
    age: float


class RunningCalls:
    """The calls in flight of the daemon whose sessions, by client number, are ``sessions``."""

    def __init__(self, clock: Clock, sessions: Mapping[int, Session]) -> None:
        self._clock = clock
        self._sessions = sessions
        self._seen: dict[Frame, float] = {}
        self._next: IDelayedCall | None = None

    def changed(self) -> None:
        """A client came or left."""
        if self._sessions and self._next is None:
            self._next = self._clock.callLater(LOOK_SECONDS, self._look_again)
        elif not self._sessions:
            self.close()

    def close(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._seen.clear()

    def look(self) -> list[Aged]:
        """Return the calls in flight, CALLS_MAX at most, in no order; an age may be a look too small."""
        now = self._clock.seconds()
        seen: dict[Frame, float] = {}
        found = []
        for number, call in islice(self._all(), CALLS_MAX):
            first = call.started if call.started is not None else self._seen.get(call.frame, now)
            seen[call.frame] = first
            found.append(Aged(number, call, now - first))
        self._seen = seen
        return found

    def _all(self) -> Iterator[tuple[int, Running]]:
        for number, session in list(self._sessions.items()):
            if session.client.in_flight:
                for call in running_calls(session):
                    yield number, call

    def _look_again(self) -> None:
        begin = _processor_time()
        self.look()
        spent = _processor_time() - begin
        self._next = self._clock.callLater(max(LOOK_SECONDS, spent / LOOK_SHARE), self._look_again)
