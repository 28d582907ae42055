# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a step of the library becomes something its caller can await.

Everything in this room is written once, as coroutines that await Deferreds. What a public method returns is made by
the client's ``Adopt``: a Deferred for code on Twisted, a Future for an asyncio task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")
Steps = Coroutine["Deferred[Any]", Any, T]


class Adopt(Protocol):
    """Starts the steps at once and returns their result as the caller's event loop awaits it."""

    def __call__(self, steps: Steps[T], /) -> Awaitable[T]: ...


def for_twisted(steps: Steps[T], /) -> Awaitable[T]:
    """Return a Deferred."""
    return Deferred.fromCoroutine(steps)


def for_asyncio(steps: Steps[T], /) -> Awaitable[T]:
    """Return a Future of the running loop, which must be the one Twisted's asyncio reactor runs on."""
    return Deferred.fromCoroutine(steps).asFuture(asyncio.get_running_loop())
