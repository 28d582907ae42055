# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon's clients are served with: the plain parts, or those that measure where metrics are asked for.

``service`` makes routers, connections and sessions with it, so that a daemon without metrics pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from virtproxy.daemon.settings import Settings
from virtproxy.routing.comeback import Comeback
from virtproxy.routing.router import Router
from virtproxy.routing.session import Session
from virtproxy.rpc.server import ServerConnection

if TYPE_CHECKING:
    from virtproxy.routing.measured import Measurements


@dataclass(frozen=True, slots=True)
class Parts:
    """Makers that take what the classes take; ``measurements`` is what the measuring ones note."""

    router: Callable[..., Router] = Router
    connection: Callable[..., ServerConnection] = ServerConnection
    session: Callable[..., Session] = Session
    measurements: Measurements | None = None


def comeback(settings: Settings) -> Comeback:
    """Return how long clients wait for a daemon that was lost."""
    return Comeback(settings.number("backend_reconnect_timeout") if settings.flag("backend_reconnect") else 0)


def parts(*, measured: bool) -> Parts:
    """Return what to make clients' parts with."""
    if not measured:
        return Parts()
    # Only a daemon that measures loads it.
    from virtproxy.routing.measured import MeasuredConnection, MeasuredRouter, MeasuredSession, Measurements

    notes = Measurements()
    return Parts(
        partial(MeasuredRouter, measurements=notes),
        partial(MeasuredConnection, notes),
        partial(MeasuredSession, notes),
        notes,
    )
