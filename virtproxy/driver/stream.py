# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stream of a call as a driver sees it: bytes and holes in, bytes and holes out, with back pressure both ways.

    call.stream.serve(work)         # in the method; `async def work(stream)` begins when the reply has left

`LocalBackend` feeds it the client's packets. When `work` returns the stream has been served; a VirtError of it ends
the stream with that error; the client's abort or end cancels it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virtproxy.driver.place import Place
from virtproxy.driver.stream_files import Hole, Segment, Target, read_segments
from virtproxy.errors import VirtError, internal, rpc
from virtproxy.protocol.net import StreamHole
from virtproxy.protocol.schema import Procedure, error_frame
from virtproxy.wire.codec import WireError, decode, encode
from virtproxy.wire.frame import CONTINUE, ERROR, HEADER, OK, STREAM, STREAM_HOLE, Frame, pack
from virtproxy.wire.framer import Piece
from virtproxy.wire.limits import PACKET_MIN, STREAM_PAYLOAD_MAX

# What a packet counts for besides its data, so that endless empty holes fill the store too.
ITEM_COST = 256
_log = Logger()

Item = bytes | Hole
Work = Callable[["Stream"], Coroutine[Any, Any, None]]


class StreamOwner(Protocol):
    """What a stream asks of the backend that it belongs to."""

    def send(self, frame: Frame) -> None:
        """Deliver a packet to the client."""

    def send_pieces(self, pieces: list[Piece]) -> None:
        """Deliver a packet in pieces."""

    def writable(self) -> Awaitable[None] | None:
        """What to wait for while the client does not read; None if it does."""

    def kept(self, change: int) -> None:
        """So many bytes more (or less) wait for the driver."""

    def stream_over(self, stream: Stream) -> None:
        """Nothing more comes or goes."""


class Stream:
    """One stream, named by the procedure and serial of the call that opened it."""

    def __init__(
        self, owner: StreamOwner, place: Place, procedure: Procedure[Any, Any], serial: int, args: Any
    ) -> None:
        self.serial = serial
        self.procedure = procedure
        self.over = False
        self.sparse = bool(procedure.sparse_flag and getattr(args, "flags", 0) & procedure.sparse_flag)
        self.work: Work | None = None
        self._owner = owner
        self._place = place
        self._items: deque[Item] = deque()
        self._kept = 0
        # The client has sent all; it waits for the last word on that.
        self._finishing = False
        # The driver has sent all.
        self._sent_end = False
        self._reader: Deferred[None] | None = None
        self._running: Deferred[None] | None = None

    # The driver's side

    def serve(self, work: Work) -> None:
        """Let `work` serve the stream as soon as the call's reply has left."""
        self.work = work

    async def send(self, data: bytes | memoryview) -> None:
        """Send data, in packets that every client takes; waits while the client does not read."""
        view = memoryview(data)
        for start in range(0, len(view), STREAM_PAYLOAD_MAX):
            await self._flow()
            piece = view[start : start + STREAM_PAYLOAD_MAX]
            self._owner.send_pieces([self._head(len(piece)), piece])

    async def send_hole(self, length: int) -> None:
        """Send a run of zeros: a hole where the call permits holes (`sparse`), else zeros one by one."""
        if not self.sparse:
            zeros = bytes(min(length, STREAM_PAYLOAD_MAX))
            while length > 0:
                await self.send(memoryview(zeros)[:length])
                length -= len(zeros)
            return
        await self._flow()
        self._owner.send(self._packet(STREAM_HOLE, CONTINUE, encode(StreamHole(length=length, flags=0))))

    async def send_from(self, source: int | str, *, offset: int = 0, length: int | None = None) -> None:
        """Send a file (a path, or a descriptor that stays the caller's) from `offset`, at most `length` bytes.

        Threads read it, ahead of what is being sent. Its holes go as holes where the call permits them. VirtError
        SYSTEM_ERROR if it cannot be read.
        """
        async for segment in read_segments(self._place, source, offset, length, holes=self.sparse):
            await self._send_segment(segment)

    async def _send_segment(self, segment: Segment) -> None:
        if isinstance(segment, Hole):
            await self.send_hole(segment)
        else:
            await self.send(segment)

    async def receive(self) -> Item:
        """The next data or Hole; empty bytes when the client has sent all."""
        await self._arrival()
        if not self._items:
            return b""
        item = self._items.popleft()
        self._taken(item)
        return item

    async def receive_into(self, sink: int | str, *, offset: int = 0, length: int | None = None) -> int:
        """Write what the client sends to a file (a path, or a descriptor) from `offset`, in threads; return the bytes.

        A hole becomes one in the file. VirtError SYSTEM_ERROR if the file refuses, or if more than `length` bytes come.
        """
        async with Target(self._place, sink, offset, length) as target:
            while True:
                await self._arrival()
                if not self._items:
                    return target.position - offset
                items = list(self._items)
                self._items.clear()
                await target.write(items)
                for item in items:
                    self._taken(item)

    async def _arrival(self) -> None:
        """Wait until something is there, or nothing more comes."""
        while not self._items and not self._finishing:
            if self._reader is not None:
                raise RuntimeError("a stream has one reader")
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None

    def _taken(self, item: Item) -> None:
        # An aborted stream has given everything back already.
        cost = min(_cost(item), self._kept)
        self._kept -= cost
        self._owner.kept(-cost)

    async def _flow(self) -> None:
        """Wait until the client reads."""
        while (waiting := self._owner.writable()) is not None:
            await waiting

    # The backend's side

    def begin(self) -> None:
        """The reply has left: run the work."""
        if self.work is None:
            raise RuntimeError("nobody serves the stream")
        running = Deferred.fromCoroutine(self._run(self.work))
        if not running.called:
            self._running = running

    async def _run(self, work: Work) -> None:
        failure: VirtError | None = None
        try:
            await work(self)
        except VirtError as error:
            failure = error
        except CancelledError:
            failure = internal("the stream was given up")
        except Exception:
            _log.failure("the stream of {name} failed", name=self.procedure.name)
            failure = internal("the driver failed in a stream; its log has the details")
        # Nobody may cancel what is about to return.
        self._running = None
        if failure is None:
            self._served()
        else:
            self.end(failure)

    def _served(self) -> None:
        """The work is done: say so, and answer the client's end of it if that came."""
        if self.over:
            return
        if self.procedure.stream == "read":
            self._sent_end = True
            self._owner.send(self._packet(STREAM, CONTINUE, b""))
        self._items.clear()
        self._release()
        if self._finishing:
            self._confirm()
        elif self.procedure.stream == "write":
            self._sent_end = True

    def packet(self, frame: Frame) -> None:
        """A packet of this stream from the client."""
        if frame.status == ERROR:
            self._aborted()
        elif frame.status == OK:
            self._finished()
        elif frame.type == STREAM_HOLE:
            self._hole(frame)
        elif frame.status == CONTINUE:
            self._keep(frame.raw[PACKET_MIN:])
        else:
            self.end(rpc(f"stream had unexpected status {frame.status}"))

    def _hole(self, frame: Frame) -> None:
        try:
            hole = decode(StreamHole, frame.payload)
        except WireError as error:
            self.end(rpc(f"Unable to decode message payload: {error}"))
            return
        if not self.sparse:
            self.end(rpc("Unexpected stream hole"))
        elif hole.length < 0 or hole.flags:
            self.end(rpc(f"a stream hole of {hole.length} bytes with flags {hole.flags}"))
        elif hole.length:
            self._keep(Hole(hole.length))

    def _keep(self, item: Item) -> None:
        """Store what came for the driver; what it does not want any more is dropped."""
        if self._finishing or self._sent_end:
            return
        if not isinstance(item, Hole) and not item:
            return
        self._items.append(item)
        cost = _cost(item)
        self._kept += cost
        self._owner.kept(cost)
        self._wake()

    def _finished(self) -> None:
        """The client wants no more, or has sent all: a writer's work goes on to its end, a reader's is cut off."""
        if self._finishing:
            return
        self._finishing = True
        if self._sent_end:
            self._confirm()
        elif self.procedure.stream == "read":
            self._confirm()
            self._cancel()
        else:
            self._wake()

    def _aborted(self) -> None:
        self._confirm()
        self._cancel()

    def _confirm(self) -> None:
        """The last word: everything up to the client's own end has been dealt with."""
        if not self.over:
            self._owner.send(self._packet(STREAM, OK, b""))
            self._close()

    def end(self, error: VirtError) -> None:
        """Break the stream with `error`, which the client is told."""
        if self.over:
            return
        program = self.procedure.program
        net = error.to_net()
        self._owner.send(error_frame(program.number, program.version, self.procedure.number, self.serial, net, STREAM))
        self._close()
        self._cancel()

    def drop(self) -> None:
        """The client is gone: cancel the work, and say nothing."""
        self._close()
        self._cancel()

    def _close(self) -> None:
        if not self.over:
            self.over = True
            self._items.clear()
            self._release()
            self._owner.stream_over(self)

    def _cancel(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _release(self) -> None:
        kept, self._kept = self._kept, 0
        self._owner.kept(-kept)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    # Packets

    def _packet(self, kind: int, status: int, payload: bytes) -> Frame:
        program = self.procedure.program
        return pack(program.number, program.version, self.procedure.number, kind, self.serial, status, payload)

    def _head(self, size: int) -> bytes:
        program = self.procedure.program
        return HEADER.pack(
            PACKET_MIN + size, program.number, program.version, self.procedure.number, STREAM, self.serial, CONTINUE
        )


def _cost(item: Item) -> int:
    return ITEM_COST if isinstance(item, Hole) else ITEM_COST + len(item)
