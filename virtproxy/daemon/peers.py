# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other drivers of this host, as a driver here asks them: as the daemon itself, over the router.

``reach`` gives it to the drivers' places. Where the daemon has the driver itself it is asked in this process, otherwise
its own daemon is. It must not speak for a client.
"""

from __future__ import annotations

from typing import TypeVar

from virtproxy import errors
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import Target
from virtproxy.routing.inquiry import Inquiry
from virtproxy.routing.router import Router
from virtproxy.wire.codec import Struct
from virtproxy.wire.frame import Frame

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)


async def _nothing() -> None:
    """There is nothing to say before the first question."""


def _unheard(event: Frame) -> None:
    """Nobody registers for events."""


class PeerOf:
    """Implements ``driver.place.Peer``: a connection that is opened when something is asked, and again when lost."""

    def __init__(self, router: Router, scheme: str) -> None:
        target = Target(scheme, f"{scheme}:///{router.mode}")
        self._inquiry = Inquiry(router, target, _nothing, _unheard, lambda: None, as_daemon=True)

    async def call(self, procedure: Procedure[A, R], args: A) -> R:
        """Make a call and return its result; VirtError if it is answered with an error, or not in time."""
        return await self._inquiry.ask(procedure, args)

    def close(self) -> None:
        """Leave the driver."""
        self._inquiry.close()


class Peers:
    """Makes peers of one daemon's drivers. ``router`` is there before any driver is started."""

    def __init__(self) -> None:
        self.router: Router | None = None

    async def ask(self, scheme: str) -> PeerOf:
        """Return a client of the driver ``scheme``; VirtError if this daemon knows none."""
        if self.router is None or (scheme not in self.router.local and self.router.socket_of(scheme) is None):
            raise errors.no_connect(f"{scheme}:///{'system' if self.router is None else self.router.mode}")
        return PeerOf(self.router, scheme)
