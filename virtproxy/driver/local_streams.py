# SPDX-License-Identifier: LGPL-2.1-or-later
"""The streams that one client has open at a local driver: which packet is whose, and who waits for the client.

`LocalBackend` makes one and passes packets, pauses and the client's end to it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from virtproxy.driver.stream import Stream
from virtproxy.errors import rpc
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.frame import ERROR, Frame
from virtproxy.wire.framer import Piece

if TYPE_CHECKING:
    from virtproxy.driver.backend import LocalBackend

# What came and was not received yet, in bytes, over all streams of a client: above the first the client is read no
# more, below the second again.
KEPT_HIGH = 4 * 1024 * 1024
KEPT_LOW = 1024 * 1024
# Each may have a file open.
STREAMS_MAX = 256


class Streams:
    """Implements `driver.stream.StreamOwner` for every stream of one backend."""

    def __init__(self, backend: LocalBackend) -> None:
        self._backend = backend
        self._open: dict[int, Stream] = {}
        self._kept = 0
        self._full = False
        self._paused = False
        self._waiting: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._open)

    def new(self, procedure: Procedure[Any, Any], frame: Frame, args: Any) -> Stream:
        """The stream of a call that has just come; VirtError if the client has another under its serial."""
        if frame.serial in self._open:
            raise rpc(f"a stream with serial {frame.serial} is open already")
        if len(self._open) >= STREAMS_MAX:
            raise rpc(f"a client may have {STREAMS_MAX} streams open at a time")
        stream = Stream(self, self._backend.driver.place, procedure, frame.serial, args)
        self._open[frame.serial] = stream
        return stream

    def answered(self, call: Frame, reply: Frame) -> None:
        """The reply to a call has left: its stream begins, or never was."""
        stream = self._open.get(call.serial) if self._open else None
        if stream is None or stream.procedure.number != call.procedure:
            return
        if reply.status == ERROR:
            stream.drop()
        elif not stream.over:
            stream.begin()

    def take(self, frame: Frame) -> None:
        """A packet from the client; one of no stream is dropped."""
        stream = self._open.get(frame.serial)
        if stream is not None and stream.procedure.number == frame.procedure:
            stream.packet(frame)

    def pause(self) -> None:
        """The client does not read."""
        self._paused = True

    def resume(self) -> None:
        """The client reads again."""
        self._paused = False
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def close(self) -> None:
        """The client is gone, or was told: its streams end without a word."""
        for stream in list(self._open.values()):
            stream.drop()

    # What a stream asks

    def send(self, frame: Frame) -> None:
        """Deliver a packet to the client."""
        self._backend.client.send(frame)

    def send_pieces(self, pieces: list[Piece]) -> None:
        """Deliver a packet in pieces."""
        self._backend.client.send_pieces(pieces)

    def writable(self) -> Awaitable[None] | None:
        """What to wait for while the client does not read; None if it does."""
        if not self._paused:
            return None
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def kept(self, change: int) -> None:
        """So many bytes more wait for the driver, over all streams: read from the client no more, or again."""
        self._kept += change
        if not self._full and self._kept > KEPT_HIGH:
            self._full = True
            self._backend.client.backend_full(self._backend)
        elif self._full and self._kept < KEPT_LOW:
            self._full = False
            self._backend.client.backend_drained(self._backend)

    def stream_over(self, stream: Stream) -> None:
        """Nothing more comes or goes."""
        if self._open.get(stream.serial) is stream:
            del self._open[stream.serial]
