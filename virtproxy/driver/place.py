# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a driver lives: its directories, its reactor and settings, and the way to the host's other drivers.

The daemon makes one and hands it to every driver that it loads. A driver never works out a path from the
environment, and never imports a reactor; a test makes a place of its own with `Place.under`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

from twisted.internet.threads import deferToThreadPool

from virtproxy.errors import no_connect
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.reactor import Clock
from virtproxy.wire.codec import Struct

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
P = ParamSpec("P")
T = TypeVar("T")


class Peer(Protocol):
    """Another driver of this host, asked as the daemon itself and not for a client."""

    async def call(self, procedure: Procedure[A, R], args: A) -> R:
        """Make a call and return its result; VirtError if it is answered with an error."""

    def close(self) -> None:
        """Be done with it."""


async def _nobody(scheme: str) -> Peer:
    raise no_connect(f"{scheme}:///system")


@dataclass(frozen=True)
class Place:
    """The surroundings of a driver. Directories are absolute and may not exist yet.

    `config` holds definitions (/etc/libvirt), `state` what is kept for good (/var/lib/libvirt), `run` what ends with
    the host's uptime (/run/libvirt), then `cache` and `log`. `reactor` is a whole Twisted reactor; without one, as in
    unit tests, blocking work is done at once. `settings` are the keys of the daemon's configuration file.
    """

    mode: Literal["system", "session"]
    config: str
    state: str
    run: str
    cache: str
    log: str
    privileged: bool = False
    reactor: Any = None
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    asker: Callable[[str], Awaitable[Peer]] = _nobody

    @classmethod
    def under(cls, root: str | os.PathLike[str], **rest: Any) -> Place:
        """A place for a test, with every directory below `root`; `rest` are further fields."""
        top = os.path.abspath(root)
        names = ("config", "state", "run", "cache", "log")
        return cls(**{"mode": "system", **{name: os.path.join(top, name) for name in names}, **rest})

    def run_of(self, driver: str) -> str:
        """The directory below `run` of a driver ("storage"); a user's own has one more level, as libvirt has it."""
        return os.path.join(self.run, driver, *(() if self.mode == "system" else ("run",)))

    @property
    def clock(self) -> Clock:
        """What timers run on; RuntimeError where there is no reactor."""
        if self.reactor is None:
            raise RuntimeError("this driver was given no reactor")
        clock: Clock = self.reactor
        return clock

    async def ask(self, scheme: str) -> Peer:
        """A client of the driver that serves `scheme` ("secret") on this host; VirtError if there is none.

        It speaks for the daemon itself: ask only for what the caller at hand may cause.
        """
        return await self.asker(scheme)

    async def blocking(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` in a thread of the reactor's pool and return its result; its exception is raised here.

        Cancelling the waiting coroutine does not stop the thread: let long work look at `call.cancelled`.
        """
        if self.reactor is None:
            return work(*args, **kwargs)
        return await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), work, *args, **kwargs)


# Below what is no directory, so that a driver without a place of its own cannot make anything, not even as root.
NOWHERE = Place.under("/dev/null/nowhere")
