# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a lost daemon is waited for, and how often it is tried meanwhile.

A router has one; the relay waits by it. It knows nothing of connections: what is tried is passed in, and so is the
clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred

from virtproxy.errors import VirtError
from virtproxy.rpc.reactor import Clock

# The first try is at once; the pauses after it double up to the longest.
PAUSE_SECONDS = 0.05
PAUSE_SECONDS_MAX = 1.0
# A last try, when the time is nearly over, must have a chance.
TRY_SECONDS_MIN = 1.0


@dataclass(frozen=True, slots=True)
class Comeback:
    """`seconds` is how long a lost daemon is waited for; 0 is not at all.

    `outcomes` counts, for each driver, how often its daemon was "back" in time and how often it was "given up".
    """

    seconds: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def wait(self, clock: Clock, attempt: Callable[[float], Awaitable[None]]) -> None:
        """Await `attempt(seconds it may take)` until it succeeds; raises its last VirtError when the time is over."""
        ends = clock.seconds() + self.seconds
        pause = PAUSE_SECONDS
        while True:
            try:
                await attempt(max(ends - clock.seconds(), TRY_SECONDS_MIN))
                return
            except VirtError:
                left = ends - clock.seconds()
                if left <= 0:
                    raise
            await _sleep(clock, min(pause, left))
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    def came_back(self, driver: str) -> None:
        """A daemon of this driver is there again, for one client."""
        self.outcomes[driver, "back"] += 1

    def given_up(self, driver: str) -> None:
        """A daemon of this driver did not come back in time."""
        self.outcomes[driver, "given up"] += 1


# What is not waited for.
NEVER = Comeback()


async def _sleep(clock: Clock, seconds: float) -> None:
    """Return after that time; whoever cancels the waiting cancels the timer."""
    over: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(seconds, over.callback, None)
    await over
