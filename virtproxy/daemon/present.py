# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that is connected now, as its server knows it: since when, over what, who, and how to end it.

``service`` and ``admin`` keep one for each client; the admin interface shows them. It must not end anybody itself.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from virtproxy.identity import Identity
from virtproxy.routing.edge import CONNECT_RO


class HasIdentity(Protocol):
    """What serves a client once it speaks the protocol; who the client is may change when it logs in."""

    identity: Identity
    flags: int


S = TypeVar("S", bound=HasIdentity)


def _nothing(reason: str) -> None:
    """There is nothing to end yet."""


@dataclass(slots=True)
class Present(Generic[S]):
    """One client. ``since`` is in seconds since 1970; ``session`` is None until a TLS handshake is over.

    ``transport``: unix, tcp or tls. ``address`` is empty for a UNIX socket.
    """

    number: int
    transport: str
    address: str = ""
    since: int = field(default_factory=lambda: int(time.time()))
    end: Callable[[str], None] = _nothing
    session: S | None = None
    socket: socket.socket | None = None

    @property
    def identity(self) -> Identity:
        """Who it is, as far as that is known now."""
        return Identity(self.transport, self.address) if self.session is None else self.session.identity

    @property
    def readonly(self) -> bool:
        """Whether it may only read: it came by the read-only socket, or asked for it when it opened a connection."""
        if self.session is None:
            return False
        return self.session.identity.readonly_socket or bool(self.session.flags & CONNECT_RO)
