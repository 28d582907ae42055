# SPDX-License-Identifier: LGPL-2.1-or-later
"""One change at a time of one object: who wants to change it begins a job, and waits while another has one.

Each guest, pool or volume that can be changed has a `Job`. A long one reports how far it is and can be aborted;
its worker is cancelled and learns of it at its next await.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.rpc.reactor import Clock

T = TypeVar("T")
# As long as libvirt waits.
WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Work:
    """A job under way. `total` and `done` are in `unit` ("bytes"); `started` is the clock's time."""

    holder: str
    started: float = 0.0
    total: int = 0
    done: int = 0
    aborted: bool = False
    running: Deferred[Any] | None = None

    def progress(self, done: int, total: int | None = None) -> None:
        """Say how far it is; VirtError OPERATION_ABORTED if somebody asked for its end."""
        self.done = done
        if total is not None:
            self.total = total
        self.check()

    async def during(self, part: Coroutine[Any, Any, T]) -> T:
        """Do a long part of it, which an abort cancels at its await; VirtError OPERATION_ABORTED then."""
        self.running = Deferred.fromCoroutine(part)
        try:
            result: T = await self.running
        except CancelledError:
            self.check()
            raise
        finally:
            self.running = None
        self.check()
        return result

    def check(self) -> None:
        """Raise VirtError OPERATION_ABORTED if somebody asked for the end of it."""
        if self.aborted:
            raise VirtError.of(ErrorCode.OPERATION_ABORTED, f"{self.holder}: canceled by client")


class Job:
    """The right to change one object. `clock` times who waits; without one they wait as long as it takes."""

    def __init__(
        self, clock: Clock | None = None, *, domain: ErrorDomain = ErrorDomain.NONE, seconds: float = WAIT_SECONDS
    ) -> None:
        self.work: Work | None = None
        self._clock = clock
        self._domain = domain
        self._seconds = seconds
        self._queue: deque[Deferred[None]] = deque()

    @asynccontextmanager
    async def begin(self, holder: str) -> AsyncIterator[Work]:
        """Have the job for the length of an `async with`; `holder` names it in others' errors (the API's name).

        VirtError OPERATION_TIMEOUT if another holds it for too long. They get it in the order in which they asked.
        """
        while self.work is not None:
            await self._turn(self.work.holder)
        now = 0.0 if self._clock is None else self._clock.seconds()
        work = self.work = Work(holder, now)
        try:
            yield work
        finally:
            self.work = None
            if self._queue:
                self._queue.popleft().callback(None)

    def abort(self) -> None:
        """Ask for the end of what is under way; VirtError OPERATION_INVALID if nothing is."""
        if self.work is None:
            detail = "no job is active on the domain"
            raise VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=self._domain)
        self.work.aborted = True
        if self.work.running is not None:
            self.work.running.cancel()

    async def _turn(self, holder: str) -> None:
        turn: Deferred[None] = Deferred()
        self._queue.append(turn)
        timer = self._timer(turn, holder)
        try:
            await turn
        except BaseException:
            if turn in self._queue:
                self._queue.remove(turn)
            raise
        finally:
            if timer is not None and timer.active():
                timer.cancel()

    def _timer(self, turn: Deferred[None], holder: str) -> IDelayedCall | None:
        if self._clock is None:
            return None

        def too_long() -> None:
            self._queue.remove(turn)
            detail = f"cannot acquire state change lock (held by monitor={holder})"
            turn.errback(VirtError.of(ErrorCode.OPERATION_TIMEOUT, detail, domain=self._domain))

        return self._clock.callLater(self._seconds, too_long)
