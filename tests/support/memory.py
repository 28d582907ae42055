# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two protocols joined in memory: what one writes waits until the test carries it over, in pieces of its choosing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

Cut = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    """Carries everything at once."""
    yield data


def pieces_of(size: int) -> Cut:
    """Carries pieces of that many bytes."""

    def cut(data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    return cut


class MemoryTransport:
    """One end: records what is written; knows producers as a real transport does."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.peer: MemoryTransport
        self.written = bytearray()
        self.paused = False
        self.closing = False
        self.lost = False
        self.producer: Any = None

    def reads(self) -> bool:
        """Whether the protocol wants data."""
        return not self.paused

    def write(self, data: bytes) -> None:
        """Keep the data for `carry`."""
        if not self.closing:
            self.written += data

    def writeSequence(self, data: Any) -> None:
        """Keep the pieces for `carry`."""
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Remember who would be paused."""
        assert streaming
        self.producer = producer

    def pauseProducing(self) -> None:
        """The protocol wants no more."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The protocol wants more."""
        self.paused = False

    def loseConnection(self) -> None:
        """Close once what is written has been carried."""
        self.closing = True

    def abortConnection(self) -> None:
        """Close; what is written is lost."""
        self.closing = True
        self.written.clear()

    def end(self) -> None:
        """Tell the protocol that the connection is over, once."""
        if not self.lost:
            self.lost = self.closing = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


class Wire:
    """Joins two protocols."""

    def __init__(self, one: Any, other: Any, cut: Cut = whole) -> None:
        self.ends = MemoryTransport(one), MemoryTransport(other)
        self.ends[0].peer, self.ends[1].peer = self.ends[1], self.ends[0]
        self.cut = cut
        for end in self.ends:
            end.protocol.makeConnection(end)

    def carry(self) -> None:
        """Carry everything until both ends are silent (or do not read)."""
        one, other = self.ends
        while self._carry_from(one) | self._carry_from(other):
            pass

    def _carry_from(self, end: MemoryTransport) -> bool:
        if end.written and not end.peer.paused and not end.peer.lost:
            data = bytes(end.written)
            end.written.clear()
            for piece in self.cut(data):
                if not end.peer.lost:
                    end.peer.protocol.dataReceived(piece)
            return True
        if end.closing and not end.lost and not end.written:
            end.end()
            end.peer.end()
            return True
        return False
