# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line of a session's events: each passes the stages before the next does, so that their order is kept.

The pipeline makes one. An event of which nobody can say whether the client may hear of it is not delivered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy.errors import VirtError
from virtproxy.routing.stages import Stage
from virtproxy.wire.frame import Frame

if TYPE_CHECKING:
    from virtproxy.routing.session import Session

# Events that may wait behind one that a stage thinks about, before the backends are paused.
WAITING_MAX = 256
_log = Logger()


class EventLine:
    """`think` is the pipeline's: it runs a thought, and then one function or the other."""

    def __init__(self, session: Session, stages: Sequence[Stage], think: Callable[[Any, Any, Any], None]) -> None:
        self._session = session
        self._stages = stages
        self._think = think
        self._events: deque[Frame] = deque()
        self._thinks = False
        self._delivers = False

    def take(self, frame: Frame) -> None:
        """Deliver an event, if the stages let it, after those that came before."""
        self._events.append(frame)
        if len(self._events) == WAITING_MAX:
            self._session.pause_backends(self)
        if not self._thinks:
            self._deliver()

    def clear(self) -> None:
        """What waits is for nobody any more."""
        self._events.clear()

    def _deliver(self) -> None:
        if self._delivers:
            # A thought that is over at once ends up here again: the loop below goes on, and nothing grows with it.
            return
        self._delivers = True
        while self._events and not self._thinks:
            self._offer(self._events.popleft(), iter(self._stages))
        self._delivers = False
        if not self._events:
            self._session.resume_backends(self)

    def _offer(self, frame: Frame | None, stages: Any) -> None:
        try:
            for stage in stages:
                if frame is None:
                    return
                if not stage.filters_events():
                    continue
                seen = stage.event(frame)
                if seen is not None and not isinstance(seen, Frame):
                    self._thinks = True
                    self._think(seen, lambda better: self._thought_of(better, stages), self._lost)
                    return
                frame = seen
        except Exception as error:
            self._lost(error)
            return
        if frame is not None:
            self._session.client.send(frame)

    def _thought_of(self, frame: Frame | None, stages: Any) -> None:
        self._thinks = False
        self._offer(frame, stages)
        self._deliver()

    def _lost(self, error: Exception) -> None:
        """Nobody could say whether the client may hear of it."""
        if not isinstance(error, VirtError):
            _log.failure("a rule failed on an event", failure=Failure(error), client=self._session)
        if self._thinks:
            self._thinks = False
            self._deliver()
