# SPDX-License-Identifier: LGPL-2.1-or-later
"""Twisted's TLS layer as our connections need it, and the handshake that comes before a protocol.

`TlsTransport` lies between a socket's transport and a protocol. While the handshake and what follows it
are going on its protocol is a `Handshake`, which hands over to the real one when it is content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from OpenSSL import SSL
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy.auth.tls_verify import PeerCertificate

if TYPE_CHECKING:
    from virtproxy.rpc.reactor import Clock
    from virtproxy.rpc.transport import StreamProtocol

# How long a peer may take from connecting to being let in.
HANDSHAKE_SECONDS = 30.0

# What the server sends, inside TLS, to a client it accepts; the client waits for it.
ACCEPTED = b"\x01"


class TlsTransport(TLSMemoryBIOProtocol):
    """A TLS connection: a protocol to the socket below, a transport to the protocol above.

    Unlike Twisted's own it writes at once, it closes without waiting for the peer's goodbye, and closing
    does not wait for the producer above to unregister.
    """

    # Descriptors cannot travel inside TLS; the socket below must not be found in our place.
    write_with_fds = None

    def __init__(self, factory: TLSMemoryBIOFactory, handshake: Handshake) -> None:
        super().__init__(factory, handshake)  # type: ignore[no-untyped-call]  # Twisted has no types here
        self.peer = PeerCertificate()

    def hand_over(self, protocol: StreamProtocol) -> None:
        """Connect `protocol` in place of the one there is; it gets every byte from now on."""
        self.wrappedProtocol = protocol  # type: ignore[assignment]
        protocol.makeConnection(self)

    def loseConnection(self) -> None:
        """Say goodbye and close once everything written is sent."""
        if self.disconnecting or not self.connected:
            return
        self.unregisterProducer()  # type: ignore[no-untyped-call]  # Twisted has no types here
        super().loseConnection()  # type: ignore[no-untyped-call]  # Twisted has no types here
        # What is still held back needs the peer to go on: Twisted closes when it has, or the socket's
        # own time limit does.
        if not self._appSendBuffer and self.transport is not None:
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """Close now; what is queued is lost."""
        if self.connected:
            super().abortConnection()  # type: ignore[no-untyped-call]  # Twisted has no types here

    def openssl(self) -> SSL.Connection:
        """OpenSSL's own object of this connection."""
        connection: SSL.Connection = self.getHandle()  # type: ignore[no-untyped-call]  # Twisted has no types here
        return connection


@implementer(IHandshakeListener)
class Handshake(Protocol):
    """The protocol of a connection that is not accepted yet, with a time limit.

    A subclass says in `completed` what comes after the handshake, and ends either with `done()` and
    `hand_over` or with `refuse`. `failed` is called once if it never comes to the first.
    """

    transport: TlsTransport

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limit: IDelayedCall | None = None
        self._why: str | None = None
        self._over = False

    def completed(self) -> None:
        """The handshake is complete; nothing is known yet about the peer."""
        raise NotImplementedError

    def failed(self, why: str | None, reason: Failure) -> None:
        """The connection is gone: by us because of `why`, or (None) for `reason`."""
        raise NotImplementedError

    def refuse(self, why: str) -> None:
        """Close, because of `why`; `failed` follows."""
        self._why = self._why or why
        self.transport.loseConnection()

    def done(self) -> None:
        """The peer is accepted: no time limit, no `failed` any more."""
        self._over = True
        self._stop_limit()

    # Twisted calls these

    def connectionMade(self) -> None:
        """The socket is connected; TLS begins."""
        self._limit = self._clock.callLater(HANDSHAKE_SECONDS, self._too_slow)

    def handshakeCompleted(self) -> None:
        """TLS is up."""
        if self._why is None:
            self.completed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone before it was accepted."""
        self._stop_limit()
        if not self._over:
            self._over = True
            self.failed(self._why, reason)

    def _too_slow(self) -> None:
        self._limit = None
        self._why = f"it was not done after {HANDSHAKE_SECONDS:g} seconds"
        self.transport.abortConnection()

    def _stop_limit(self) -> None:
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        self._limit = None


def tls_factory(creator: Any, is_client: bool) -> TLSMemoryBIOFactory:
    """What a TlsTransport asks for its OpenSSL connection: `creator`, as Twisted's interfaces have it."""
    return TLSMemoryBIOFactory(creator, is_client, Factory())


def tls_transport(factory: TLSMemoryBIOFactory, handshake: Handshake) -> TlsTransport:
    """A TLS connection that begins with `handshake`, to be attached to a socket's transport."""
    assert IProtocol.providedBy(handshake)
    return TlsTransport(factory, handshake)


def new_connection(context: SSL.Context, transport: TLSMemoryBIOProtocol) -> SSL.Connection:
    """The OpenSSL connection in memory of a TlsTransport, which the verify callback finds on it."""
    connection = SSL.Connection(context, None)
    connection.set_app_data(transport)
    return connection
