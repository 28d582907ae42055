# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's end of a stream in a driver's test: what came is there to look at, what to send is sent at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from virtproxy.driver.stream_files import Hole
from virtproxy.errors import VirtError
from virtproxy.protocol.net import StreamHole
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.codec import decode, encode
from virtproxy.wire.frame import CONTINUE, ERROR, OK, STREAM, STREAM_HOLE, Frame, pack
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

if TYPE_CHECKING:
    from virtproxy.driver.backend import LocalBackend


class HarnessStream:
    """`items` are the data and holes that came, `ended` whether that was all, `confirmed` the daemon's last word."""

    def __init__(self, backend: LocalBackend, procedure: Procedure[Any, Any], serial: int) -> None:
        self.items: list[bytes | Hole] = []
        self.ended = False
        self.confirmed = False
        self.error: VirtError | None = None
        self._backend = backend
        self._procedure = procedure
        self.serial = serial
        self._waiting: list[Deferred[None]] = []

    @property
    def data(self) -> bytes:
        """What came so far, with zeros for holes."""
        return b"".join(bytes(item) if isinstance(item, Hole) else item for item in self.items)

    def send(self, data: bytes) -> None:
        """Send data in packets of the usual size."""
        for start in range(0, len(data), STREAM_PAYLOAD_MAX):
            self._packet(STREAM, CONTINUE, data[start : start + STREAM_PAYLOAD_MAX])

    def send_hole(self, length: int, flags: int = 0) -> None:
        """Send a hole."""
        self._packet(STREAM_HOLE, CONTINUE, encode(StreamHole(length=length, flags=flags)))

    async def finish(self) -> None:
        """End the stream in order and wait for the daemon's word; VirtError if it ended with an error."""
        self._packet(STREAM, OK, b"")
        await self.until(lambda: self.confirmed)

    async def abort(self) -> None:
        """End the stream without caring for the rest."""
        self._packet(STREAM, ERROR, b"")
        await self.until(lambda: self.confirmed)

    async def read_all(self) -> bytes:
        """Wait for the end of the data and finish; return the data. VirtError if it ended with an error."""
        await self.until(lambda: self.ended)
        await self.finish()
        return self.data

    async def until(self, true: Any) -> None:
        """Wait until `true()`, looked at with each packet; VirtError if the stream ends with an error first."""
        while not true():
            if self.error is not None:
                raise self.error
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    def take(self, frame: Frame) -> None:
        """A packet of the daemon."""
        if frame.status == ERROR:
            self.error = VirtError.from_net(decode_error(frame))
        elif frame.status == OK:
            self.confirmed = True
        elif frame.type == STREAM_HOLE:
            self.items.append(Hole(decode(StreamHole, frame.payload).length))
        elif len(frame.payload) > STREAM_PAYLOAD_MAX:
            raise AssertionError(f"a packet of {len(frame.payload)} bytes is more than old clients take")
        elif frame.payload:
            self.items.append(bytes(frame.payload))
        else:
            self.ended = True
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def _packet(self, kind: int, status: int, payload: bytes) -> None:
        program = self._procedure.program
        number = self._procedure.number
        self._backend.stream(pack(program.number, program.version, number, kind, self.serial, status, payload))
