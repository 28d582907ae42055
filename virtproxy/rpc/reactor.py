# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library needs of a reactor, as types; every Twisted reactor on Linux has it.

A reactor or a test's clock is always passed in, and may be less than a whole reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall


class Clock(Protocol):
    """Timers: a reactor, or twisted.internet.task.Clock in tests."""

    def callLater(self, delay: float, function: Callable[..., object], /, *args: Any) -> IDelayedCall: ...
    def seconds(self) -> float: ...


class StreamReactor(Clock, Protocol):
    """Timers and descriptors: a reactor, or the poller that stands in for it."""

    def addReader(self, reader: Any, /) -> None: ...
    def removeReader(self, reader: Any, /) -> None: ...
    def addWriter(self, writer: Any, /) -> None: ...
    def removeWriter(self, writer: Any, /) -> None: ...
