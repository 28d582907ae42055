# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells the service manager how the daemon is (sd_notify(3)), and that it lives (its watchdog).

Called by ``lifecycle``. A service manager that does not listen is no reason to fail.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

# What the manager grants beyond the time that the end is meant to take, before it kills.
SPARE_SECONDS = 10.0


class Clock(Protocol):
    """What of the reactor is needed."""

    def callLater(self, delay: float, call: Callable[..., object], /) -> IDelayedCall:
        """Call later."""


def notify(environ: Mapping[str, str], state: str) -> bool:
    """Send ``state``, such as READY=1, to the socket NOTIFY_SOCKET names; return whether it was sent."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError:
        return False
    return True


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float:
    """Return how often the manager wants to hear from the process ``pid``, twice as often as it must; 0 for never."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 2_000_000 if text.isascii() and text.isdecimal() and len(text) < 19 else 0.0


class Notifier:
    """What the service manager of ``environ`` is told; ``status`` gives a line about the daemon for people.

    The watchdog is fed from the reactor's own turns, so that a daemon whose reactor hangs is started anew.
    """

    def __init__(self, environ: Mapping[str, str], clock: Clock, status: Callable[[], str]) -> None:
        self._environ = environ
        self._clock = clock
        self._status = status
        self._seconds = watchdog_seconds(environ, os.getpid())
        self._watchdog: IDelayedCall | None = None
        self._reloads = 0
        self._ending = False

    def ready(self) -> None:
        """The daemon serves."""
        notify(self._environ, f"READY=1\nSTATUS={self._status()}")
        if self._seconds and self._watchdog is None:
            self._feed()

    @contextmanager
    def reload(self) -> Iterator[None]:
        """Say that the daemon reloads, and when it is done that it serves, whatever came of it."""
        self._reloads += 1
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notify(self._environ, f"RELOADING=1\nMONOTONIC_USEC={usec}\nSTATUS=Reloading")
        try:
            yield
        finally:
            self._reloads -= 1
            if not self._reloads and not self._ending:
                self.ready()

    def stopping(self, seconds: float = 0) -> None:
        """The daemon ends, and may take so long."""
        self._ending = True
        if self._watchdog is not None and self._watchdog.active():
            self._watchdog.cancel()
        usec = int((seconds + SPARE_SECONDS) * 1_000_000)
        notify(self._environ, f"STOPPING=1\nEXTEND_TIMEOUT_USEC={usec}\nSTATUS=Ending")

    def _feed(self) -> None:
        notify(self._environ, f"WATCHDOG=1\nSTATUS={self._status()}")
        self._watchdog = self._clock.callLater(self._seconds, self._feed)
