# SPDX-License-Identifier: LGPL-2.1-or-later
"""The threads of a server: those of the reactor, where work is done that would block it.

Calls do not wait for threads here, so that there is no thread for each of them, as with libvirt; files are read and
names looked up in threads. ``admin_calls`` shows and changes how many there may be. It must run nothing in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from virtproxy.daemon.settings import Settings

# Nobody needs more, and a slip of the pen must not bring the host down.
THREADS_MAX = 1000


@dataclass(slots=True)
class Workers:
    """How many threads there are at least and at most; ``pool`` is Twisted's, None where nothing runs in threads.

    ``priority`` is kept for who set it: what libvirt has threads of their own for does not wait here either.
    """

    minimum: int
    maximum: int
    priority: int
    pool: Any = None

    def limit(self, minimum: int, maximum: int, priority: int) -> None:
        """Have so many threads from now on; threads that work finish it first."""
        self.minimum, self.maximum, self.priority = minimum, maximum, priority
        self.start()

    def start(self) -> None:
        """Give the pool its size."""
        if self.pool is not None:
            most = min(self.maximum, THREADS_MAX)
            self.pool.adjustPoolsize(min(self.minimum, most), most)

    @property
    def idle(self) -> int:
        """Threads that wait for work."""
        return 0 if self.pool is None else len(self.pool.waiters)

    @property
    def working(self) -> int:
        """Threads that work."""
        return 0 if self.pool is None else len(self.pool.working)

    @property
    def backlog(self) -> int:
        """Pieces of work that wait for a thread."""
        return 0 if self.pool is None else self.pool.q.qsize()


def workers_of(settings: Settings, reactor: Any, prefix: str = "") -> Workers:
    """Return the threads that the settings ask for; for a ``prefix``, a server that needs none."""
    return Workers(
        settings.number(f"{prefix}min_workers"),
        settings.number(f"{prefix}max_workers"),
        0 if prefix else settings.number("prio_workers"),
        None if prefix or not hasattr(reactor, "getThreadPool") else reactor.getThreadPool(),
    )
