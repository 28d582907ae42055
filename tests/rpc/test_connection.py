# SPDX-License-Identifier: LGPL-2.1-or-later
"""What both ends of a connection share: framing, keepalive, holding, closing."""

from __future__ import annotations

import os

import pytest
from twisted.internet.task import Clock

from tests.support.memory import MemoryTransport, Wire
from virtproxy.rpc.connection import Connection
from virtproxy.rpc.keepalive import PING, PONG
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, MESSAGE, OK, Frame, pack


class Recording(Connection):
    """A connection that notes what reaches it."""

    def __init__(self, interval: float = 0) -> None:
        self.clock = Clock()
        super().__init__(self.clock, interval, 2)
        self.frames: list[Frame] = []
        self.reasons: list[str] = []

    def frame_received(self, frame: Frame) -> None:
        self.frames.append(frame)

    def lost(self, reason: str) -> None:
        self.reasons.append(reason)


def joined(interval: float = 0) -> tuple[Recording, MemoryTransport]:
    """A connection on a transport that nobody is behind."""
    connection = Recording(interval)
    transport = MemoryTransport(connection)
    connection.makeConnection(transport)
    return connection, transport


def call(serial: int) -> Frame:
    return pack(0x20008086, 1, 59, CALL, serial, OK)


def test_frames_pass_in_order_and_pings_are_answered() -> None:
    connection, transport = joined()
    connection.dataReceived(call(1).raw + PING.raw + call(2).raw)
    assert [frame.serial for frame in connection.frames] == [1, 2]
    assert bytes(transport.written) == PONG.raw


def test_pongs_and_unknown_keepalive_messages_are_swallowed() -> None:
    connection, transport = joined()
    strange = pack(0x6B656570, 1, 99, MESSAGE, 0, OK)
    connection.dataReceived(PONG.raw + strange.raw)
    assert not connection.frames
    assert not transport.written


@pytest.mark.parametrize("length", [0, 3, 27, 2**25 + 5, 2**31, 2**32 - 1])
def test_a_broken_packet_ends_the_connection(length: int) -> None:
    connection, transport = joined()
    connection.dataReceived(call(1).raw + length.to_bytes(4, "big"))
    assert transport.closing
    transport.end()
    assert connection.reasons == [f"broken packet: a packet announces {length} bytes; from 28 to 33554436 are allowed"]


def test_nothing_is_received_after_closing() -> None:
    connection, transport = joined()
    connection.close()
    reader, writer = os.pipe()
    connection.fdsReceived([reader, writer])
    connection.dataReceived(pack(1, 1, 1, CALL_WITH_FDS, 1, OK, b"", (reader, writer)).raw + b"\0\0")
    assert not connection.frames
    for fd in (reader, writer):
        with pytest.raises(OSError):
            os.fstat(fd)
    connection.send(call(1))
    assert not transport.written
    transport.end()
    assert connection.reasons == ["closed on this side"]


def test_the_first_reason_counts() -> None:
    connection, transport = joined()
    connection.close("the first")
    connection.abort("the second")
    transport.end()
    assert connection.reasons == ["the first"]


def test_holds_are_counted_by_who_holds() -> None:
    connection, transport = joined()
    connection.hold("one")
    connection.hold("other")
    connection.hold("one")
    connection.release("one")
    assert not transport.reads()
    connection.release("nobody")
    assert not transport.reads()
    connection.release("other")
    assert transport.reads()
    connection.release("other")
    assert transport.reads()


def test_a_silent_peer_is_given_up() -> None:
    connection, transport = joined(5)
    connection.start_keepalive()
    connection.clock.pump([5, 5])
    assert bytes(transport.written) == PING.raw * 2
    connection.clock.advance(5)
    assert transport.closing
    transport.end()
    assert connection.reasons == ["the peer did not answer keepalive messages"]
    assert not connection.clock.getDelayedCalls()


def test_a_held_peer_is_not_given_up_unless_it_reads_nothing_either() -> None:
    connection, transport = joined(5)
    connection.start_keepalive()
    connection.hold("me")
    connection.clock.pump([5] * 10)
    assert transport.closing is False
    transport.producer.pauseProducing()
    connection.clock.pump([5] * 3)
    assert transport.closing
    transport.end()


def test_descriptors_need_a_transport_that_passes_them() -> None:
    connection, transport = joined()
    reader, writer = os.pipe()
    connection.send(pack(1, 1, 1, CALL_WITH_FDS, 1, OK, b"", (reader, writer)))
    assert transport.closing
    with pytest.raises(OSError):
        os.fstat(reader)
    transport.end()
    assert connection.reasons == ["file descriptors cannot be passed over this transport"]


def test_an_end_is_told_once_whoever_closes() -> None:
    one, other = Recording(), Recording()
    wire = Wire(one, other)
    one.send(call(7))
    one.close("enough")
    wire.carry()
    assert [frame.serial for frame in other.frames] == [7]
    assert one.reasons == ["enough"]
    assert len(other.reasons) == 1


def test_given_up_before_it_was_connected_it_closes_at_once() -> None:
    connection = Connection(Clock(), 0, 0)
    connection.abort("took too long")
    transport = MemoryTransport(connection)
    connection.makeConnection(transport)
    assert transport.closing
