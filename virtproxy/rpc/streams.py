# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client end of a stream: data and holes in, data and holes out, finish and abort.

A ClientConnection makes one per stream call and feeds it the packets of that call's serial. What
arrives is kept within bounds: a reader that stops pauses the connection.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from virtproxy.errors import VirtError
from virtproxy.protocol.net import StreamHole
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import WireError, decode, encode
from virtproxy.wire.frame import CONTINUE, ERROR, OK, STREAM, STREAM_HOLE, Frame, pack
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

if TYPE_CHECKING:
    from virtproxy.rpc.client import ClientConnection

KEPT_HIGH = 1024 * 1024
KEPT_LOW = 256 * 1024
# What a hole counts for, however long it is: endless holes must fill the store too.
HOLE_COST = 256


class Hole(int):
    """A run of zero bytes of this length that was not sent as data."""


class ClientStream:
    """One stream, named by the procedure and serial of the call that opened it."""

    def __init__(self, connection: ClientConnection, procedure: Procedure[Any, Any], serial: int) -> None:
        self._connection = connection
        self._procedure = procedure
        self._serial = serial
        self._items: deque[bytes | Hole] = deque()
        self._kept = 0
        # The end of the data was announced; `over`: nothing more is sent or comes.
        self._end = False
        self.over = False
        self._error: VirtError | None = None
        self._reader: Deferred[None] | None = None
        self._confirmation: Deferred[None] | None = None

    @property
    def at_end(self) -> bool:
        """Whether all data there will be has been read."""
        return self._end and not self._items

    # Reading

    async def read(self) -> bytes:
        """The next piece of data; empty at the end. A hole comes as zero bytes, piece by piece."""
        item = await self.read_item()
        if not isinstance(item, Hole):
            return item
        if item > STREAM_PAYLOAD_MAX:
            self._keep(Hole(item - STREAM_PAYLOAD_MAX), first=True)
        return bytes(min(item, STREAM_PAYLOAD_MAX))

    async def read_item(self) -> bytes | Hole:
        """The next piece of data or Hole; empty bytes at the end.

        Raises VirtError when the daemon ended the stream with an error, or was lost.
        """
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._end:
                return b""
            if self._reader is not None:
                raise RuntimeError("a stream has one reader")
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None
        item = self._items.popleft()
        self._kept -= HOLE_COST if isinstance(item, Hole) else len(item)
        if self._kept < KEPT_LOW:
            self._connection.release(self)
        return item

    def frame_received(self, frame: Frame) -> None:
        """A packet of this stream, from the connection."""
        if frame.status == ERROR:
            from virtproxy.rpc.client import error_of

            self.fail(error_of(frame))
        elif frame.status == OK:
            self._finished()
        elif frame.type == STREAM_HOLE:
            self._hole_received(frame)
        elif frame.status == CONTINUE:
            self._data_received(bytes(frame.payload))

    def _hole_received(self, frame: Frame) -> None:
        try:
            hole = decode(StreamHole, frame.payload)
        except WireError as failure:
            self._connection.abort(f"a stream hole that cannot be read: {failure}")
            return
        if hole.length < 0:
            self._connection.abort(f"a stream hole of {hole.length} bytes")
        elif hole.length:
            self._keep(Hole(hole.length))

    def _data_received(self, data: bytes) -> None:
        if data:
            self._keep(data)
        else:
            self._end = True
            self._wake()

    def _keep(self, item: bytes | Hole, *, first: bool = False) -> None:
        """Store what came (or what is left of it) for the reader; what nobody wants any more is dropped."""
        if self._confirmation is not None:
            return
        if first:
            self._items.appendleft(item)
        else:
            self._items.append(item)
        self._kept += HOLE_COST if isinstance(item, Hole) else len(item)
        if self._kept > KEPT_HIGH:
            self._connection.hold(self)
        self._wake()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    # Writing

    async def write(self, data: bytes) -> None:
        """Send data, in packets a peer accepts; waits while the daemon does not read."""
        for start in range(0, len(data), STREAM_PAYLOAD_MAX):
            self._check_writable()
            self._send(STREAM, CONTINUE, data[start : start + STREAM_PAYLOAD_MAX])
            await self._connection.writable()

    async def write_hole(self, length: int) -> None:
        """Send a hole of `length` bytes; only where the call's flags permit holes."""
        self._check_writable()
        self._send(STREAM_HOLE, CONTINUE, encode(StreamHole(length=length, flags=0)))
        await self._connection.writable()

    def _check_writable(self) -> None:
        if self._error is not None:
            raise self._error
        if self.over or self._confirmation is not None:
            raise RuntimeError("the stream has been ended")

    async def finish(self) -> None:
        """End the stream in order and wait for the daemon's word; raises VirtError if it failed."""
        if self._error is not None:
            raise self._error
        if not self.over:
            await self._end_with(OK)

    async def abort(self) -> None:
        """End the stream without caring for the rest of its data; one that is over already stays as it is."""
        if not self.over:
            await self._end_with(ERROR)

    async def _end_with(self, status: int) -> None:
        if self._confirmation is not None:
            raise RuntimeError("the stream is being ended already")
        self._confirmation = Deferred()
        # What was not read is not wanted, and must not keep the connection from reading.
        self._items.clear()
        self._kept = 0
        self._connection.release(self)
        self._send(STREAM, status, b"")
        await self._confirmation

    def _send(self, kind: int, status: int, payload: bytes) -> None:
        program = self._procedure.program
        number = self._procedure.number
        self._connection.send(pack(program.number, program.version, number, kind, self._serial, status, payload))

    # The end

    def _finished(self) -> None:
        self._over()
        self._end = True
        confirmation, self._confirmation = self._confirmation, None
        if confirmation is not None:
            confirmation.callback(None)
        self._wake()

    def fail(self, error: VirtError) -> None:
        """The stream broke: reads and writes raise `error` from now on."""
        self._over()
        self._error = error
        confirmation, self._confirmation = self._confirmation, None
        if confirmation is not None:
            confirmation.errback(error)
        self._wake()

    def _over(self) -> None:
        self.over = True
        self._connection.stream_ended(self._serial)
        self._connection.release(self)
