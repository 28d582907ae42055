# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keepalive of one connection: asks an idle peer for a sign of life, gives a dead one up.

The connection reports every arrival by `heard`, which must stay cheap; the clock is passed in.
It sends nothing itself: pings and the verdict go through the two callbacks.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from virtproxy.protocol import keepalive
from virtproxy.rpc.reactor import Clock
from virtproxy.wire.frame import MESSAGE, OK, Frame, pack

PROGRAM = keepalive.PROGRAM.number
PING_NUMBER = keepalive.PING.number
_VERSION = keepalive.PROGRAM.version


def _message(number: int) -> Frame:
    return pack(PROGRAM, _VERSION, number, MESSAGE, 0, OK)


PING = _message(keepalive.PING.number)
PONG = _message(keepalive.PONG.number)


class Keepalive:
    """Pings after `interval` seconds of silence; after `count` pings without a word: `dead()`.

    With a count of 0 the first silent interval is the last, as in libvirt.
    """

    __slots__ = ("_clock", "_count", "_dead", "_interval", "_left", "_listens", "_ping", "_timer", "heard")

    def __init__(
        self,
        clock: Clock,
        interval: float,
        count: int,
        ping: Callable[[], None],
        dead: Callable[[], None],
        listens: Callable[[], bool] = lambda: True,
    ) -> None:
        self._clock = clock
        self._interval = interval
        self._count = count
        self._left = count
        self._ping = ping
        # Where nothing is read, silence means nothing.
        self._listens = listens
        self._dead = dead
        self._timer: IDelayedCall | None = None
        # Set by the connection at every arrival: an assignment is all the hot path can afford.
        self.heard = False

    def start(self) -> None:
        """Begin; again is harmless, and an interval of zero or less is never."""
        if self._timer is None and self._interval > 0:
            self._timer = self._clock.callLater(self._interval, self._tick)

    def stop(self) -> None:
        """End, and leave no timer behind."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self.heard or not self._listens():
            self.heard = False
            self._left = self._count
        elif self._left == 0:
            self._dead()
            return
        else:
            self._left -= 1
            self._ping()
        self.start()
