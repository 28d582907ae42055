# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who sends more than its share waits for its next turn: nobody else has to wait for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.rpc.test_connection import Recording, call, joined
from tests.rpc.test_transport import ClockedReactor, Far
from tests.support.memory import MemoryTransport
from virtproxy.rpc import connection as connection_module
from virtproxy.rpc.connection import BATCH, REST_SECONDS, TURN_SECONDS
from virtproxy.rpc.keepalive import PING, PONG
from virtproxy.rpc.transport import PIECES_AT_ONCE, SocketTransport
from virtproxy.wire.frame import CALL, CALL_WITH_FDS, CONTINUE, OK, STREAM, pack
from virtproxy.wire.framer import LARGE_MIN

MANY = 100


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is a third of a turn later than the one before."""
    now = Clock()

    def look() -> float:
        now.advance(TURN_SECONDS * 0.4)
        return now.seconds()

    monkeypatch.setattr(connection_module, "_clock", look)


def flood(first: int = 1, count: int = MANY) -> bytes:
    return b"".join(call(serial).raw for serial in range(first, first + count))


def turns(connection: Recording) -> None:
    """Let the loop turn until the connection has nothing left."""
    connection.clock.advance(0)


def serials(connection: Recording) -> list[int]:
    return [frame.serial for frame in connection.frames]


def test_what_came_at_once_is_served_in_several_turns_in_order(ticking: None) -> None:
    connection, transport = joined()
    connection.dataReceived(flood())
    assert len(connection.frames) == 3 * BATCH
    assert transport.paused
    turns(connection)
    assert serials(connection) == list(range(1, MANY + 1))
    assert not transport.paused


def test_a_flood_of_pings_is_answered_in_several_turns(ticking: None) -> None:
    connection, transport = joined()
    connection.dataReceived(PING.raw * MANY)
    assert len(transport.written) == 3 * BATCH * len(PONG.raw)
    turns(connection)
    assert bytes(transport.written) == PONG.raw * MANY


def test_who_sends_only_what_goes_nowhere_rests_between_turns(ticking: None) -> None:
    connection, transport = joined()
    connection.made_progress = lambda: False  # type: ignore[method-assign]
    connection.dataReceived(PING.raw * MANY)
    answered = len(transport.written)
    turns(connection)
    connection.clock.advance(REST_SECONDS * 0.9)
    assert (len(transport.written), transport.paused) == (answered, True)
    connection.clock.pump([REST_SECONDS] * MANY)
    assert bytes(transport.written) == PONG.raw * MANY
    assert not transport.paused


def test_a_huge_packet_that_is_kept_is_read_with_rests() -> None:
    connection, transport = joined()
    raw = pack(0x20008086, 1, 9999, CALL, 7, OK, bytes(LARGE_MIN)).raw
    connection.dataReceived(raw[:-8])
    assert transport.paused
    connection.clock.advance(REST_SECONDS)
    assert not transport.paused
    connection.dataReceived(raw[-8:])
    assert (serials(connection), transport.paused) == ([7], False)


def test_two_clients_take_turns(ticking: None) -> None:
    order: list[str] = []
    clock = Clock()

    for name in "ab":
        connection = Recording()
        connection.receiver = lambda frame, name=name: order.append(name)  # type: ignore[misc]
        connection._timers = clock
        connection.makeConnection(MemoryTransport(connection))
        connection.dataReceived(flood(count=24))
    clock.advance(0)
    assert "".join(order) == "a" * 12 + "b" * 12 + "a" * 8 + "b" * 8 + "a" * 4 + "b" * 4


def test_who_is_held_meanwhile_waits_until_he_is_released(ticking: None) -> None:
    connection, transport = joined()
    connection.dataReceived(flood())
    connection.hold("a slow backend")
    seen = len(connection.frames)
    turns(connection)
    assert len(connection.frames) == seen
    connection.release("a slow backend")
    turns(connection)
    assert serials(connection) == list(range(1, MANY + 1))
    assert not transport.paused


def test_a_hold_in_the_middle_of_a_turn_is_heeded() -> None:
    connection, _ = joined()
    connection.receiver = lambda frame: connection.hold("enough")
    connection.dataReceived(flood())
    assert connection._framer.rest is not None
    assert not connection.clock.getDelayedCalls()


def test_what_comes_while_it_waits_follows(ticking: None) -> None:
    """TLS hands over what it has deciphered, even to who asked for no more."""
    connection, _ = joined()
    connection.dataReceived(flood()[:-10])
    connection.dataReceived(flood()[-10:] + flood(MANY + 1))
    turns(connection)
    assert serials(connection) == list(range(1, 2 * MANY + 1))


def test_a_large_packet_after_a_flood_may_pass_on_while_it_comes(ticking: None) -> None:
    connection, _ = joined()
    passed = bytearray()
    connection.passage = lambda head: passed.extend if head.type == STREAM else None  # type: ignore[method-assign]
    large = pack(0x20008086, 1, 208, STREAM, 7, CONTINUE, bytes(50_000)).raw
    connection.dataReceived(flood() + large[:40_000])
    turns(connection)
    connection.dataReceived(large[40_000:] + call(5).raw)
    assert bytes(passed) == large
    assert serials(connection)[-1] == 5


def test_the_end_of_the_connection_ends_the_waiting(ticking: None) -> None:
    connection, transport = joined()
    reader, writer = os.pipe()
    connection.fdsReceived([reader])
    last = pack(0x20008086, 1, 249, CALL_WITH_FDS, 2, OK, b"", (reader,)).raw + b"\0"
    connection.dataReceived(flood() + last)
    transport.end()
    assert not connection.clock.getDelayedCalls()
    assert connection.reasons == ["the other side closed it"]
    with pytest.raises(OSError):
        os.fstat(reader)
    os.close(writer)


def test_a_broken_packet_in_a_later_turn_closes(ticking: None) -> None:
    connection, transport = joined()
    connection.dataReceived(flood() + bytes(8))
    assert not transport.closing
    turns(connection)
    assert transport.closing
    assert len(connection.frames) == MANY


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    theirs.close()


def test_a_queue_is_written_by_one_call_a_turn(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer that reads as fast as it is written to would have everything written at once otherwise."""
    reactor: Any = ClockedReactor()
    ours, theirs = pair
    transport = SocketTransport(reactor, ours, Far())
    transport.start()
    written = b""
    while not transport.queued:  # until the kernel takes no more
        transport.write(b"x" * 1000)
        written += b"x" * 1000
    pieces = [bytes([number % 256]) * 5000 for number in range(3 * PIECES_AT_ONCE)]
    for piece in pieces:
        transport.write(piece)
    everything = written + b"".join(pieces)
    sizes = list[int]()
    read = bytearray()
    while transport.queued:
        while len(read) < len(everything) - transport.queued:
            read += theirs.recv(1 << 20)
        before = transport.queued
        assert transport.doWrite() is None
        sizes.append(before - transport.queued)
    while len(read) < len(everything):
        read += theirs.recv(1 << 20)
    assert bytes(read) == everything
    assert max(sizes) <= PIECES_AT_ONCE * 5000
    transport.abortConnection()
    reactor.advance(0)


def test_crumbs_are_kept_together(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor: Any = ClockedReactor()
    ours, theirs = pair
    transport = SocketTransport(reactor, ours, Far())
    transport.start()
    sent = bytearray()
    while transport.queued < 200_000:
        crumb = bytes([len(sent) % 251]) * 100
        transport.write(crumb)
        sent += crumb
    assert len(transport._queue) < 10
    read = bytearray()
    while len(read) < len(sent):
        read += theirs.recv(1 << 20)
        transport.doWrite()
    assert read == sent
    transport.abortConnection()
    reactor.advance(0)
