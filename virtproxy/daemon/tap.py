# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sees the packets between clients and the daemon while somebody traces, and keeps them for him, within bounds.

``insight`` has one tap and a trace for each who asks. A connection is tapped by putting methods in front of its own,
and untapped by taking them away: a daemon that nobody traces runs the same code as one without this file. It never
holds a packet up; what is not taken in time is dropped and counted.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from virtproxy.protocol import remote
from virtproxy.protocol.insight import TracedPacket
from virtproxy.routing.session import Session
from virtproxy.rpc.server import ServerConnection
from virtproxy.wire.frame import HEADER, Frame
from virtproxy.wire.framer import Piece, Sink
from virtproxy.wire.limits import PACKET_MIN

# What waits for whoever traces: packets, and bytes of them.
PACKETS_MAX = 20_000
BYTES_MAX = 16 * 1024 * 1024
# Of these nothing but the header ever leaves the daemon: there is nothing in them but what proves who somebody is.
_HIDDEN = frozenset(
    (remote.PROGRAM.number, one.number) for one in (remote.AUTH_SASL_START, remote.AUTH_SASL_STEP)
)  # fmt: skip
# The methods that have others in front of them; packets from the client come by the connection's receiver.
_TAPPED = ("send", "send_pieces", "passage")
_now = time.time


class Trace:
    """What one who traces has still to get."""

    def __init__(self, client: int, size: int) -> None:
        self.client = client
        self.dropped = 0
        # Called once, when something is there.
        self.filled: Callable[[], None] | None = None
        self._size = max(size, PACKET_MIN)
        self._waiting: deque[TracedPacket] = deque()
        self._bytes = 0

    def note(self, number: int, from_client: bool, data: bytes | bytearray | memoryview) -> None:
        """Keep a packet, or count it as dropped."""
        if self.client and number != self.client:
            return
        kept = bytes(data[: self._size])
        if len(self._waiting) >= PACKETS_MAX or self._bytes + len(kept) > BYTES_MAX:
            self.dropped += 1
            return
        self._waiting.append(TracedPacket(int(_now() * 1_000_000), number, from_client, kept))
        self._bytes += len(kept)
        if self.filled is not None:
            filled, self.filled = self.filled, None
            filled()

    def take(self, most: int) -> list[TracedPacket]:
        """Remove and return the oldest packets: at least one, and otherwise not more than ``most`` bytes."""
        taken: list[TracedPacket] = []
        size = 0
        while self._waiting and (not taken or size + len(self._waiting[0].data) <= most):
            taken.append(self._waiting.popleft())
            size += len(taken[-1].data)
        self._bytes -= size
        return taken

    def __bool__(self) -> bool:
        return bool(self._waiting)


class Tap:
    """The traces that are on, and the connections that are tapped for them."""

    def __init__(self, sessions: Mapping[int, Session]) -> None:
        self._sessions = sessions
        self._traces: list[Trace] = []

    def start(self, trace: Trace) -> None:
        """Let a trace see every packet from now on."""
        self._traces.append(trace)
        if len(self._traces) == 1:
            for number, session in self._sessions.items():
                _tap(session.client, partial(self._note, number))

    def stop(self, trace: Trace) -> None:
        """Let it see none any more; harmless if it did not."""
        if trace in self._traces:
            self._traces.remove(trace)
            if not self._traces:
                for session in self._sessions.values():
                    _untap(session.client)

    def joined(self, number: int, connection: ServerConnection) -> None:
        """A client came."""
        if self._traces:
            _tap(connection, partial(self._note, number))

    def _note(self, number: int, from_client: bool, data: bytes | bytearray | memoryview) -> None:
        for trace in self._traces:
            trace.note(number, from_client, data)


def _tap(connection: ServerConnection, note: Callable[[bool, Any], None]) -> None:
    """Put in front of the connection's own methods what notes their packets."""
    receiver, send, send_pieces, passage = (
        connection.receiver, connection.send, connection.send_pieces, connection.passage,
    )  # fmt: skip

    def received(frame: Frame) -> None:
        note(True, _shown(frame))
        receiver(frame)

    def sent(frame: Frame) -> None:
        note(False, _shown(frame))
        send(frame)

    def sent_pieces(pieces: Sequence[Piece]) -> None:
        # Stream data is not looked at: the header is in the first piece.
        note(False, pieces[0] if len(pieces[0]) >= PACKET_MIN else b"".join(pieces))
        send_pieces(pieces)

    def passed(head: Frame) -> Sink | None:
        sink = passage(head)
        return None if sink is None else _noting(sink, note)

    # Not by its dictionary: Python makes one for an object only when somebody asks, and is slower with it ever after.
    for name, method in zip(("receiver", *_TAPPED), (received, sent, sent_pieces, passed), strict=True):
        setattr(connection, name, method)


def _untap(connection: ServerConnection) -> None:
    """Leave the connection as its class made it."""
    for name in _TAPPED:
        delattr(connection, name)
    connection.receiver = connection.frame_received


def _noting(sink: Sink, note: Callable[[bool, Any], None]) -> Sink:
    """A sink that notes the first piece of a packet, which has its header."""
    begun = False

    def passing(piece: Piece) -> None:
        nonlocal begun
        if not begun:
            begun = True
            note(True, piece)
        sink(piece)

    return passing


def _shown(frame: Frame) -> bytes | bytearray:
    """The packet, or only its header where nobody is to see more."""
    return frame.raw[: HEADER.size] if (frame.program, frame.procedure) in _HIDDEN else frame.raw
