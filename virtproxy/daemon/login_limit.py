# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a client may take to be authenticated, its TLS handshake included (``auth_timeout``).

``clients`` tells it who came and who is known or gone; ``service`` cuts off whom it names. Who waits for an answer of
ours, as for a polkit dialog, does not dawdle and gets more time. It must hold no socket.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from virtproxy.rpc.reactor import Clock

# How often a client that waits for an answer gets as much time again: nobody may stay anonymous for ever.
EXTENSIONS = 5


class LoginLimit:
    """A timer for each anonymous client. After ``seconds`` (0: never) ``expired`` is called with its number.

    ``waits`` says whether the client of a number waits for the answer to a login.
    """

    def __init__(
        self, clock: Clock, seconds: int, waits: Callable[[int], bool], expired: Callable[[int], None]
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._waits = waits
        self._expired = expired
        self._timers: dict[int, IDelayedCall] = {}

    def begin(self, number: int) -> None:
        """The client ``number`` came in."""
        if self._seconds:
            self._start(number, EXTENSIONS)

    def end(self, number: int) -> None:
        """It is authenticated, or gone."""
        timer = self._timers.pop(number, None)
        if timer is not None:
            timer.cancel()

    def _start(self, number: int, extensions: int) -> None:
        self._timers[number] = self._clock.callLater(self._seconds, self._over, number, extensions)

    def _over(self, number: int, extensions: int) -> None:
        del self._timers[number]
        if extensions and self._waits(number):
            self._start(number, extensions - 1)
        else:
            self._expired(number)
