# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bulkhead for each daemon: how many calls of all clients it may have at a time.

``daemon.rules`` makes one where ``max_backend_requests`` is set. What goes over it waits for a moment and is then
refused, so that a daemon that is stuck gathers neither calls nor clients that wait for it. Calls of high priority
do not wait. It must not look at what is called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Hashable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import daemon_of
from virtproxy.routing.procedures import is_passed_on
from virtproxy.routing.stages import Request, Stage

if TYPE_CHECKING:
    from virtproxy.routing.session import Session
    from virtproxy.rpc.reactor import Clock

# How long a call waits for a place. A daemon that works at all has one by then.
WAITING_SECONDS = 5.0


class Compartment:
    """The places of one daemon, and who waits for one."""

    def __init__(self, daemon: str, places: int) -> None:
        self._daemon = daemon
        self._places = places
        self._taken = 0
        self._waiting: deque[Deferred[None]] = deque()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._taken

    def take(self, request: Request, clock: Clock) -> Coroutine[Any, Any, None] | None:
        """Give `request` a place until nobody owes it an answer; a coroutine if it must wait for one."""
        if self._taken >= self._places:
            return self._wait(request, clock)
        self._taken += 1
        request.when_done.append(self._free)
        return None

    async def _wait(self, request: Request, clock: Clock) -> None:
        place: Deferred[None] = Deferred()
        self._waiting.append(place)
        timer = clock.callLater(WAITING_SECONDS, place.errback, self._full())
        try:
            await place
        finally:
            if timer.active():
                timer.cancel()
            if place in self._waiting:
                self._waiting.remove(place)
        # Whoever left it has not counted it out.
        request.when_done.append(self._free)

    def _free(self) -> None:
        if self._waiting:
            self._waiting.popleft().callback(None)
        else:
            self._taken -= 1

    def _full(self) -> VirtError:
        detail = f"{self._daemon} has {self._places} calls to answer (max_backend_requests)"
        return VirtError.of(ErrorCode.RESOURCE_BUSY, detail, domain=ErrorDomain.RPC)


class BulkheadRule:
    """Makes the stage of each session; all share the compartments, `places` calls each."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._compartments: dict[str, Compartment] = {}

    def __call__(self, session: Session) -> BulkheadStage:
        return BulkheadStage(session, self)

    @property
    def busiest(self) -> int:
        """How many calls the daemon has that has most."""
        return max((compartment.taken for compartment in self._compartments.values()), default=0)

    def compartment(self, driver: str) -> Compartment:
        """The compartment of a driver's daemon."""
        found = self._compartments.get(driver)
        if found is None:
            found = self._compartments[driver] = Compartment(daemon_of(driver), self._places)
        return found


class BulkheadStage(Stage):
    """Finds a place for each call of one session that a daemon serves."""

    def __init__(self, session: Session, rule: BulkheadRule) -> None:
        self._session = session
        self._rule = rule

    def profile(self) -> Hashable:
        """All sessions are alike."""
        return None

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        """What goes to a daemon and may wait."""
        return is_passed_on(procedure) and not procedure.high_priority

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Let the call pass if its daemon has a place; one that nobody serves is refused elsewhere."""
        target = self._session.target_of(request.procedure.family)
        if target is None:
            return None
        return self._rule.compartment(target.driver).take(request, self._session.router.reactor)
