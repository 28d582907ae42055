# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes that are made to their end although whoever asked for them leaves: disk and memory must agree.

A call is cancelled at its await when its client goes; what it awaits through `Changes` goes on.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")
_log = Logger()


class Changes:
    """The changes under way of one driver."""

    def __init__(self) -> None:
        self._running: set[Deferred[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def whole(self, change: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Begin a change and return what to await: its result. What it raises when nobody waits any more is logged."""
        answer: Deferred[T] = Deferred()
        running = Deferred.fromCoroutine(change)
        self._running.add(running)

        def ended(result: Any) -> None:
            self._running.discard(running)
            if not answer.called:
                answer.callback(result)
            elif isinstance(result, Failure) and not result.check(CancelledError):
                _log.warn("a change whose client left failed: {error}", error=result.value)

        running.addBoth(ended)
        return answer

    async def settled(self) -> None:
        """Wait until no change is under way."""
        while self._running:
            done: Deferred[None] = Deferred()

            def told(result: Any, done: Deferred[None] = done) -> Any:
                if not done.called:
                    done.callback(None)
                return result

            next(iter(self._running)).addBoth(told)
            await done
