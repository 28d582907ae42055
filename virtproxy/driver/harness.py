# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls a driver's procedures as a client would, without a socket: for the tests of drivers.

Everything is encoded and decoded for real, so what a test sees is what a client gets.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from virtproxy.access.decision import Access, EveryoneMay
from virtproxy.driver.backend import PROGRAMS, LocalBackend
from virtproxy.driver.base import Driver, HangUp
from virtproxy.driver.harness_stream import HarnessStream
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.routing.backend import Backend
from virtproxy.wire.codec import Struct
from virtproxy.wire.frame import CALL, ERROR, STREAM, STREAM_HOLE, Frame, pack
from virtproxy.wire.framer import Framer, Piece

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)


class DriverHarness:
    """One client of a driver. `events` collects (event procedure, message) in order; `lost` the errors of a loss."""

    def __init__(
        self,
        driver: Driver,
        *,
        uri: str = "",
        readonly: bool = False,
        identity: Identity | None = None,
        access: Access | None = None,
    ) -> None:
        self.events: list[tuple[Procedure[Any, Any], Any]] = []
        self.lost: list[VirtError] = []
        # The client's ends of streams by serial, and whether a driver asked that the client send no more.
        self.streams: dict[int, HarnessStream] = {}
        self.full = False
        self._serials = count(1)
        self._waiting: dict[int, Deferred[Frame]] = {}
        who = identity or Identity(uid=os.getuid(), pid=os.getpid())
        where = uri or f"{driver.name}:///default"
        self.backend = LocalBackend(driver, self, who, uri=where, readonly=readonly, access=access or EveryoneMay())
        self.backend.join()

    async def call(self, procedure: Procedure[A, R], args: A) -> R:
        """Make a call and return its result; VirtError if it is answered with an error."""
        frame = await self.call_raw(procedure.call_frame(next(self._serials), args))
        if frame.status == ERROR:
            raise VirtError.from_net(decode_error(frame))
        return procedure.decode_ret(frame)

    async def open(self, procedure: Procedure[A, R], args: A) -> tuple[R, HarnessStream]:
        """Make a call that opens a stream; return its result and the client's end of the stream."""
        frame = procedure.call_frame(next(self._serials), args)
        stream = self.streams[frame.serial] = HarnessStream(self.backend, procedure, frame.serial)
        reply = await self.call_raw(frame)
        if reply.status == ERROR:
            del self.streams[frame.serial]
            raise VirtError.from_net(decode_error(reply))
        return procedure.decode_ret(reply), stream

    async def call_bytes(self, program: int, number: int, payload: bytes, version: int = 1) -> Frame:
        """Make a call with any bytes as its arguments and return the reply's frame."""
        return await self.call_raw(pack(program, version, number, CALL, next(self._serials), 0, payload))

    async def call_raw(self, frame: Frame) -> Frame:
        """Hand a frame to the backend and wait for its reply."""
        waiting: Deferred[Frame] = Deferred()
        self._waiting[frame.serial] = waiting
        self.backend.call(frame)
        return await waiting

    def close(self) -> None:
        """Leave, as a client does that disconnects."""
        self.backend.close()

    # What a backend asks of its client

    def reply(self, frame: Frame, call: Frame | None = None) -> None:
        self._waiting.pop(frame.serial).callback(frame)

    def send(self, frame: Frame) -> None:
        if frame.type in (STREAM, STREAM_HOLE):
            self.streams[frame.serial].take(frame)
            return
        event = PROGRAMS[frame.program].procedures[frame.procedure]
        self.events.append((event, event.decode_args(frame)))

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        (frame,) = Framer().feed(b"".join(pieces))
        self.send(frame)

    def backend_full(self, backend: Backend) -> None:
        self.full = True

    def backend_drained(self, backend: Backend) -> None:
        self.full = False

    def backend_away(self, backend: Backend, error: VirtError) -> bool:
        """A local backend goes away for good."""
        raise AssertionError("a local driver went away for a while")

    def backend_lost(self, backend: Backend, error: VirtError, *, deaf: bool = False) -> None:
        self.lost.append(error)

    def hang_up(self, why: str) -> None:
        """What waits for an answer gets none but this."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            one.errback(HangUp(why))
        self.close()

    def backend_deaf(self, backend: Backend) -> None:
        """A local backend never comes back."""
        raise AssertionError("a local driver came back")
