# SPDX-License-Identifier: LGPL-2.1-or-later
"""A protocol with an eye on its end, for connections that may end before anybody else would hear of it.

``service`` puts it around TLS: a client whose handshake fails never gets a connection of its own, and yet
must not be counted for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import ITransport
from twisted.python.failure import Failure

from virtproxy.rpc.transport import StreamProtocol


class Watched:
    """Passes everything to ``inner``; calls ``ended`` after its connectionLost."""

    def __init__(self, inner: StreamProtocol, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended
        self._transport: ITransport | None = None
        self.dataReceived = inner.dataReceived

    def makeConnection(self, transport: ITransport) -> None:
        """Called once, with the transport."""
        self._transport = transport
        self._inner.makeConnection(transport)

    def connectionLost(self, reason: Failure) -> None:
        """Called once, at the end."""
        try:
            self._inner.connectionLost(reason)
        finally:
            self._ended()

    def close(self, reason: str) -> None:
        """Close without a farewell: during a handshake nothing is worth waiting for."""
        if self._transport is not None:
            self._transport.loseConnection()
