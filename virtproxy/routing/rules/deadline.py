# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deadlines: a call that its daemon does not answer in time is answered with an error.

``daemon.rules`` makes a `DeadlineRule` where ``call_deadlines`` is set. What the daemon says later is dropped, a
stream that it opens later is broken there. A daemon that owes a client several such answers is not asked any more
for that client until it has given them. It must not know how the seconds were configured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import daemon_of
from virtproxy.routing.stages import Request, Stage
from virtproxy.wire.frame import Frame

if TYPE_CHECKING:
    from virtproxy.routing.session import Session


class DeadlineRule:
    """Makes the stage of each session: `seconds` by procedure, and how many answers a daemon may be late with."""

    def __init__(self, seconds: Mapping[Procedure[Any, Any], float], late_max: int) -> None:
        self.seconds = seconds
        self.late_max = late_max

    def __call__(self, session: Session) -> DeadlineStage:
        return DeadlineStage(session, self)


class DeadlineStage(Stage):
    """Times the calls of one session."""

    def __init__(self, session: Session, rule: DeadlineRule) -> None:
        self._session = session
        self._rule = rule
        self._timers: dict[Request, IDelayedCall] = {}
        # Answers that came too late to be waited for and have not come yet, by daemon.
        self._late: Counter[str] = Counter()

    def profile(self) -> Hashable:
        """All sessions of a daemon have the same deadlines."""
        return id(self._rule)

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        """What has a deadline."""
        return procedure in self._rule.seconds

    def call(self, request: Request) -> None:
        """Start the call's time; VirtError if its daemon is late with too much already."""
        daemon = self._daemon_of(request)
        if self._late[daemon] >= self._rule.late_max:
            raise _timeout(f"{daemon} still owes answers to {self._late[daemon]} earlier calls of this connection")
        seconds = self._rule.seconds[request.procedure]
        clock = self._session.router.reactor
        self._timers[request] = clock.callLater(seconds, self._over, request, daemon, seconds)

    def reply(self, request: Request, frame: Frame) -> Frame:
        """The call has its answer."""
        timer = self._timers.pop(request, None)
        if timer is not None:
            timer.cancel()
        return frame

    def close(self) -> None:
        """The client is gone."""
        while self._timers:
            self._timers.popitem()[1].cancel()

    def _over(self, request: Request, daemon: str, seconds: float) -> None:
        del self._timers[request]
        name = request.procedure.name
        if request.admitted:
            self._late[daemon] += 1
            request.when_done.append(lambda: self._came(daemon))
            error = _timeout(f"{daemon} did not answer {name} within {seconds:g} s")
        else:
            error = _timeout(f"{name} for {daemon} was not let through within {seconds:g} s")
        self._session.router.refusals["deadline"] += 1
        self._session.pipeline.settle(request, error)

    def _came(self, daemon: str) -> None:
        self._late[daemon] -= 1

    def _daemon_of(self, request: Request) -> str:
        target = self._session.target_of(request.procedure.family)
        return "the daemon" if target is None else daemon_of(target.driver)


def _timeout(detail: str) -> VirtError:
    return VirtError.of(ErrorCode.OPERATION_TIMEOUT, detail, domain=ErrorDomain.RPC)
