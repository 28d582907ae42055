# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ends a daemon that nobody has used for a while (``--timeout``), and never while somebody is on the way in.

``lifecycle`` owns one and tells it of clients; whoever has work that must not be cut off says so by ``busy``; the
admin interface sets ``seconds``. It must not close anything itself: ``leave`` does, and may find that it is too early.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.logger import Logger

from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

# Longer than this and a timer in milliseconds no longer fits libvirt's int.
TIMEOUT_MAX = 2147483


class IdleExit:
    """Calls ``leave`` when nothing was busy for ``seconds`` (0: never).

    ``leave`` returns whether the daemon is on its way out; if not, the time begins anew. Nothing counts down
    before ``start``.
    """

    _log = Logger()

    def __init__(self, reactor: StreamReactor, seconds: int, leave: Callable[[], bool]) -> None:
        self._reactor = reactor
        self._leave = leave
        self._busy: dict[str, int] = {}
        self._timer: IDelayedCall | None = None
        self._started = False
        self._seconds = _checked(seconds)

    @property
    def seconds(self) -> int:
        """How long the daemon waits without anything to do; 0 is for ever. ValueError if set to what cannot be."""
        return self._seconds

    @seconds.setter
    def seconds(self, seconds: int) -> None:
        self._seconds = _checked(seconds)
        self._count_down()

    @property
    def reasons(self) -> dict[str, int]:
        """What keeps the daemon: how many of each kind."""
        return dict(self._busy)

    def busy(self, kind: str, count: int) -> None:
        """Say how many of a kind there are now that must not be left: "clients", "guests", ...; 0 for none."""
        if count:
            self._busy[kind] = count
        else:
            self._busy.pop(kind, None)
        self._count_down()

    @contextmanager
    def working(self, kind: str) -> Iterator[None]:
        """Keep the daemon for the time of a piece of work."""
        self.busy(kind, self._busy.get(kind, 0) + 1)
        try:
            yield
        finally:
            self.busy(kind, self._busy[kind] - 1)

    def start(self) -> None:
        """The daemon serves: count down while nothing is busy."""
        self._started = True
        self._count_down()

    def stop(self) -> None:
        """The daemon ends for another reason."""
        self._started = False
        self._cancel()

    def _count_down(self) -> None:
        """Begin the time anew, or stop it while something is busy."""
        self._cancel()
        if self._started and self._seconds and not self._busy:
            self._timer = self._reactor.callLater(self._seconds, self._expired)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _expired(self) -> None:
        self._timer = None
        if self._leave():
            self._started = False
            self._log.info("nothing to do for {seconds} s (--timeout)", seconds=self._seconds)
        else:
            self._count_down()


def _checked(seconds: int) -> int:
    if not 0 <= seconds <= TIMEOUT_MAX:
        raise ValueError(f"a timeout is from 0 to {TIMEOUT_MAX} seconds, not {seconds}")
    return seconds
