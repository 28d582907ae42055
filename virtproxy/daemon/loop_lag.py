# SPDX-License-Identifier: LGPL-2.1-or-later
"""How late the daemon comes to what is due: a timer that looks at the clock.

``service`` starts one where metrics are asked for. While something holds the event loop up, every client waits so long.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from virtproxy.rpc.reactor import Clock

EVERY_SECONDS = 0.5
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class LoopLag:
    """Counts in ``counts``, by BOUNDS in seconds, how late a timer was; ``seconds`` is the sum, ``last`` the last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._due = 0.0
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = self.last = 0.0

    def start(self) -> None:
        """Begin to look."""
        self._due = self._clock.seconds() + EVERY_SECONDS
        self._timer = self._clock.callLater(EVERY_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _look(self) -> None:
        self.last = max(0.0, self._clock.seconds() - self._due)
        self.counts[bisect_left(BOUNDS, self.last)] += 1
        self.seconds += self.last
        self.start()
