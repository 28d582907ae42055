# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a login may put between a connection and its socket: encryption of every byte from one reply on.

`Connection.protect_after` installs a `SecurityLayer` (SASL makes them); `ProtectedTransport` is how the connection
writes from then on. Nothing here knows a packet: a layer sees bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class LayerError(Exception):
    """What came is not of this layer, or cannot be put into it: the connection cannot go on."""


class SecurityLayer(Protocol):
    """Encryption of one connection, which both ends have agreed on. `ssf` is its strength in bits."""

    ssf: int
    # How many bytes `encode` takes at most.
    piece_max: int

    def encode(self, data: bytes) -> bytes:
        """Protect at most `piece_max` bytes for the peer. Raises LayerError."""
        ...

    def decode(self, data: bytes) -> bytes:
        """Return what is readable by now of the bytes that came, in any pieces. Raises LayerError."""
        ...


class ProtectedTransport:
    """The transport below, seen through a layer."""

    # Descriptors cannot travel inside a layer: they would have no place among its bytes.
    write_with_fds = None

    def __init__(self, transport: Any, layer: SecurityLayer) -> None:
        self._below = transport
        self._layer = layer
        self.registerProducer = transport.registerProducer
        self.pauseProducing = transport.pauseProducing
        self.resumeProducing = transport.resumeProducing
        self.loseConnection = transport.loseConnection
        self.abortConnection = transport.abortConnection

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` in pieces that the layer takes; one that it does not take ends the connection."""
        view, size = memoryview(data), self._layer.piece_max
        try:
            pieces = [self._layer.encode(bytes(view[at : at + size])) for at in range(0, len(view), size)]
        except LayerError:
            self._below.abortConnection()
            return
        if len(pieces) == 1:
            self._below.write(pieces[0])
        elif pieces:
            self._below.writeSequence(pieces)

    def writeSequence(self, data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send the pieces; what goes out together is encrypted together."""
        self.write(b"".join(data))
