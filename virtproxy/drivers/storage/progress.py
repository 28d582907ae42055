# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells the log, now and then, how far something long has come: a copy, a conversion, a wipe.

Whoever does the work wraps it; how far it is, is measured from outside, whatever program does it. It must not hold
anything up, and a measurement that fails is left out.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from virtproxy.driver import Place

EVERY_SECONDS = 10.0
MIB = 1024 * 1024
_log = Logger()


def written(path: str) -> int:
    """The bytes that the disk keeps for a file so far; OSError if it is not there (yet)."""
    return os.stat(path).st_blocks * 512


@contextmanager
def told(place: Place, what: str, measure: Callable[[], int]) -> Iterator[None]:
    """While the block runs, log every ten seconds what is under way and what `measure` says, in bytes, in a thread."""
    if place.reactor is None:
        yield
        return
    with ticking(place.clock, what, lambda: place.blocking(measure)):
        yield


@contextmanager
def ticking(clock: Any, what: str, measure: Callable[[], Awaitable[int]]) -> Iterator[None]:
    """The same with any clock and any way to measure."""

    async def tell() -> None:
        try:
            done = await measure()
        except OSError:
            return
        _log.info("{what}: {done} MiB are written", what=what, done=done // MIB)

    loop = LoopingCall(lambda: Deferred.fromCoroutine(tell()))
    loop.clock = clock
    running = loop.start(EVERY_SECONDS, now=False)
    running.addErrback(lambda failure: _log.failure("progress cannot be told", failure=failure))
    try:
        yield
    finally:
        loop.stop()
