# SPDX-License-Identifier: LGPL-2.1-or-later
"""The traces that administrators have asked for: starts them, hands their packets out, ends the forgotten ones.

Part of ``insight``. Who traces asks for the next packets whenever he has taken the last ones, so that nothing waits
for him but what ``tap`` keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.daemon.tap import Tap, Trace
from virtproxy.protocol import insight
from virtproxy.rpc.reactor import Clock

# How long packets are gathered before they are handed out, and how many bytes of them at once.
GATHER_SECONDS = 0.05
ANSWER_BYTES = 256 * 1024
# How long a question for packets waits for one, and after how long without a question a trace ends.
WAIT_SECONDS = 1.0
FORGOTTEN_SECONDS = 60.0
TRACES_MAX = 4
_log = Logger()
GONE_MAX = 10_000


class _Asked:
    """One trace: what it keeps, whom it has told of, who waits for packets, and when it is forgotten."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.known: set[int] = set()
        # Clients that left before it was told of them.
        self.gone: dict[int, insight.Client] = {}
        self.waiting: Deferred[None] | None = None
        self.forgotten: IDelayedCall | None = None
        self.timer: IDelayedCall | None = None

    def wake(self) -> None:
        """Answer who waits."""
        self.trace.filled = None
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.callback(None)


class Traces:
    """All traces of a daemon; ``client`` says who a client is."""

    def __init__(self, clock: Clock, tap: Tap, client: Callable[[int], insight.Client | None]) -> None:
        self._clock = clock
        self._tap = tap
        self._client = client
        self._numbers = count(1)
        self._asked: dict[int, _Asked] = {}

    async def start(self, args: insight.TraceStartArgs) -> insight.TraceStartRet:
        """Begin one; VirtError if there are too many."""
        if len(self._asked) >= TRACES_MAX:
            raise errors.internal(f"{TRACES_MAX} traces are on already")
        number = next(self._numbers)
        asked = self._asked[number] = _Asked(Trace(args.client, args.size))
        self._remember(number, asked)
        self._tap.start(asked.trace)
        whom = f"client {args.client}" if args.client else "all clients"
        _log.info("an administrator sees the packets of {whom}: trace {number}", whom=whom, number=number)
        return insight.TraceStartRet(number)

    async def next(self, args: insight.TraceNextArgs) -> insight.TraceNextRet:
        """Return the next packets, once there are some; VirtError if there is no such trace."""
        asked = self._find(args.trace)
        self._remember(args.trace, asked)
        if asked.waiting is not None:
            raise errors.internal("somebody waits for the packets of this trace already")
        if not asked.trace:
            await self._some(args.trace, asked)
        packets = asked.trace.take(ANSWER_BYTES)
        fresh = sorted({packet.client for packet in packets} - asked.known)
        asked.known.update(fresh)
        clients = [who for number in fresh if (who := asked.gone.pop(number, None) or self._client(number)) is not None]
        return insight.TraceNextRet(clients, packets, asked.trace.dropped)

    async def stop(self, args: insight.TraceStopArgs) -> None:
        """End one; VirtError if there is no such trace."""
        self._find(args.trace)
        self._end(args.trace)

    def left(self, number: int) -> None:
        """A client leaves: who it was is still to be told with its last packets."""
        for asked in self._asked.values():
            who = self._client(number) if number not in asked.known else None
            if who is not None and len(asked.gone) < GONE_MAX:
                asked.gone[number] = who

    def close(self) -> None:
        """End all."""
        for number in list(self._asked):
            self._end(number)

    def _find(self, number: int) -> _Asked:
        asked = self._asked.get(number)
        if asked is None:
            raise errors.internal(f"there is no trace {number}: nobody asked for its packets in time")
        return asked

    async def _some(self, number: int, asked: _Asked) -> None:
        """Wait until packets are there, or a moment has passed; whoever is cut off while he waits traces no more."""

        def left(_: Deferred[None]) -> None:
            asked.waiting = None
            self._end(number)

        waiting = asked.waiting = Deferred(left)
        asked.timer = self._clock.callLater(WAIT_SECONDS, asked.wake)
        asked.trace.filled = lambda: self._gather(asked)
        await waiting

    def _gather(self, asked: _Asked) -> None:
        """The first packet is there: others that come soon go with it."""
        if asked.timer is not None and asked.timer.active():
            asked.timer.cancel()
            asked.timer = self._clock.callLater(GATHER_SECONDS, asked.wake)

    def _remember(self, number: int, asked: _Asked) -> None:
        if asked.forgotten is not None:
            asked.forgotten.cancel()
        asked.forgotten = self._clock.callLater(FORGOTTEN_SECONDS, self._forget, number)

    def _forget(self, number: int) -> None:
        self._asked[number].forgotten = None
        self._end(number)

    def _end(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            self._tap.stop(asked.trace)
            _log.info("trace {number} ends", number=number)
            if asked.forgotten is not None:
                asked.forgotten.cancel()
            asked.wake()
