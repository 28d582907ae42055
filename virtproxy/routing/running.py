# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls of a session that have no answer yet, and what each waits for.

Asked for when somebody looks (``daemon.running``); nothing is written down for it while calls pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from virtproxy.routing.pipeline import ASKED_SERIALS
from virtproxy.wire.frame import Frame

if TYPE_CHECKING:
    from virtproxy.routing.session import Session


class Running(NamedTuple):
    """``place``: what it waits for. ``started``: when it came, on the reactor's clock; None where nobody knows."""

    frame: Frame
    place: str
    started: float | None = None


def running_calls(session: Session) -> Iterator[Running]:
    """Yield each call once."""
    requests = session.pipeline.requests
    for backend in session.backends:
        # The newest first, so that who has seen a call before knows those behind it too.
        for frame in backend.owed_calls():
            request = requests.get((frame.program, frame.procedure, frame.serial))
            if frame.serial < ASKED_SERIALS and (request is None or not request.answered):
                yield Running(frame, backend.name, None if request is None else request.started)
    for request in requests.values():
        if not request.admitted and not request.answered:
            yield Running(request.frame, "a rule", request.started)
    for frame in session.edge_calls():
        yield Running(frame, "the daemon itself")
    for frame in session.client.waiting():
        yield Running(frame, "its turn")
