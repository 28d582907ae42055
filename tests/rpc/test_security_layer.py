# SPDX-License-Identifier: LGPL-2.1-or-later
"""A security layer between packets and socket: whatever the pieces, every packet arrives, and none in plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.internet.task import Clock

from tests.support.memory import MemoryTransport, Wire
from virtproxy.protocol import remote
from virtproxy.rpc.connection import Connection
from virtproxy.rpc.security_layer import LayerError, ProtectedTransport
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.wire.frame import CALL, REPLY, Frame, pack

MARK = b"in plain text"


class Blocks:
    """A layer as SASL's are: each piece becomes a block with its length before it, which may be cut anywhere."""

    ssf = 8

    def __init__(self, piece_max: int) -> None:
        self.piece_max = piece_max
        self._waiting = b""

    def encode(self, data: bytes) -> bytes:
        """One block."""
        assert 0 < len(data) <= self.piece_max
        return len(data).to_bytes(4, "big") + bytes(byte ^ 0x5A for byte in data)

    def decode(self, data: bytes) -> bytes:
        """The blocks that are whole."""
        self._waiting += data
        found = b""
        while len(self._waiting) >= 4:
            size = int.from_bytes(self._waiting[:4], "big")
            if size > self.piece_max:
                raise LayerError("too large a block")
            if len(self._waiting) < 4 + size:
                break
            found += bytes(byte ^ 0x5A for byte in self._waiting[4 : 4 + size])
            self._waiting = self._waiting[4 + size :]
        return found


class Kept(Connection):
    """Keeps what it receives."""

    def __init__(self) -> None:
        super().__init__(Clock(), 0, 0)
        self.frames: list[Frame] = []
        self.reason: str | None = None

    def frame_received(self, frame: Frame) -> None:
        """A packet."""
        self.frames.append(frame)

    def lost(self, reason: str) -> None:
        """The end."""
        self.reason = reason


def packet(serial: int, size: int, kind: int = CALL) -> Frame:
    """A packet whose payload would be seen."""
    return pack(remote.PROGRAM.number, 1, 9, kind, serial, 0, (MARK * (size // len(MARK) + 1))[:size])


sizes = some.lists(some.integers(0, 3000), max_size=8)


@settings(max_examples=150, deadline=None)
@given(there=sizes, back=sizes, piece_max=some.integers(1, 2000), cuts=some.lists(some.integers(1, 5000), min_size=1))
def test_packets_arrive_whatever_the_pieces(there: list[int], back: list[int], piece_max: int, cuts: list[int]) -> None:
    seen = bytearray()

    def cut(data: bytes) -> Iterator[bytes]:
        seen.extend(data)
        at, turn = 0, 0
        while at < len(data):
            size = cuts[turn % len(cuts)]
            yield data[at : at + size]
            at, turn = at + size, turn + 1

    one, other = Kept(), Kept()
    wire = Wire(one, other, cut)
    one.protect(Blocks(piece_max))
    other.protect(Blocks(piece_max))
    for serial, size in enumerate(there):
        one.send(packet(serial, size))
        if serial % 2:
            one.send_pieces([memoryview(packet(1000 + serial, size).raw)[:20], packet(1000 + serial, size).raw[20:]])
    for serial, size in enumerate(back):
        other.send(packet(serial, size))
    wire.carry()
    assert [frame.serial for frame in other.frames if frame.serial < 1000] == list(range(len(there)))
    assert [len(frame.payload) for frame in other.frames if frame.serial < 1000] == there
    assert [len(frame.payload) for frame in one.frames] == back
    assert len(other.frames) == len(there) + len(there) // 2
    assert MARK not in seen


def test_it_begins_with_the_byte_after_the_reply() -> None:
    one = Kept()
    transport = MemoryTransport(one)
    one.makeConnection(transport)
    one.protect_after(7, Blocks(100))
    one.send(packet(6, 20, REPLY))
    one.send(packet(7, 20, CALL))
    one.send(packet(7, 20, REPLY))
    one.send(packet(8, 20, REPLY))
    plain = packet(6, 20, REPLY).raw + packet(7, 20, CALL).raw + packet(7, 20, REPLY).raw
    assert bytes(transport.written[: len(plain)]) == plain
    assert Blocks(100).decode(bytes(transport.written[len(plain) :])) == packet(8, 20, REPLY).raw
    assert one.ssf == 8


def test_a_broken_block_ends_the_connection() -> None:
    one = Kept()
    transport = MemoryTransport(one)
    one.makeConnection(transport)
    one.protect(Blocks(100))
    one.dataReceived(packet(1, 500).raw)
    assert (transport.closing, one.frames) == (True, [])
    transport.end()
    assert one.reason == "broken security layer: too large a block"


def test_what_cannot_be_encoded_ends_the_connection() -> None:
    class Broken(Blocks):
        def encode(self, data: bytes) -> bytes:
            raise LayerError("no")

    one = Kept()
    transport = MemoryTransport(one)
    one.makeConnection(transport)
    one.protect(Broken(100))
    one.send(packet(1, 10))
    assert (transport.closing, bytes(transport.written)) == (True, b"")


@pytest.mark.parametrize("before", [packet(2, 30).raw[:9], packet(2, 30).raw[:3]])
def test_half_a_packet_from_before_ends_the_connection(before: bytes) -> None:
    one = Kept()
    transport = MemoryTransport(one)
    one.makeConnection(transport)
    one.dataReceived(before)
    one.protect(Blocks(100))
    assert transport.closing
    assert one.ssf == 0


class Slow:
    """A session that answers nothing by itself."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.calls: list[Frame] = []

    def call(self, frame: Frame) -> None:
        """Keep it."""
        self.calls.append(frame)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_calls_that_waited_from_before_are_not_served() -> None:
    sessions: list[Slow] = []

    def open_session(connection: ServerConnection) -> Slow:
        sessions.append(Slow(connection))
        return sessions[-1]

    server = ServerConnection(Clock(), ServerSettings(max_requests=1), open_session)
    transport = MemoryTransport(server)
    server.makeConnection(transport)
    # The last step of a login, and behind it, in plain, what somebody else would like to be done as that client.
    server.dataReceived(packet(1, 10).raw + packet(2, 10).raw)
    server.protect_after(1, Blocks(100))
    server.reply(packet(1, 10, REPLY))
    assert transport.closing
    assert [frame.serial for frame in sessions[0].calls] == [1]
    transport.end()


def test_descriptors_do_not_travel_within() -> None:
    assert ProtectedTransport.write_with_fds is None
