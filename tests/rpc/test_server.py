# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server end: how many calls are served at a time, what waits, what is dropped."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.task import Clock

from tests.support.memory import MemoryTransport
from tests.support.scripted import LATER, Script, ScriptedSession
from virtproxy.protocol import remote
from virtproxy.rpc.keepalive import PING, PONG
from virtproxy.rpc.server import WAITING_BYTES_MAX, WAITING_CALLS_MAX, ServerConnection, ServerSettings
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    MESSAGE,
    OK,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
    Frame,
    pack,
)
from virtproxy.wire.framer import Framer

HOSTNAME = remote.ConnectGetHostnameRet(hostname="here")


class Server:
    """A server end on a transport in memory; hostname calls are answered when the test says."""

    def __init__(self, max_requests: int = 2) -> None:
        self.script = Script()
        self.script.answers[remote.CONNECT_GET_HOSTNAME] = lambda args: LATER
        self.clock = Clock()
        self.gone: list[ServerConnection] = []
        settings = ServerSettings(max_requests=max_requests)
        self.connection = ServerConnection(self.clock, settings, self.script.session, self.gone.append)
        self.transport = MemoryTransport(self.connection)
        self.connection.makeConnection(self.transport)

    @property
    def session(self) -> ScriptedSession:
        return self.script.only

    def calls(self, *serials: int) -> None:
        """Receive hostname calls, all in one piece."""
        frames = [remote.CONNECT_GET_HOSTNAME.call_frame(serial, None) for serial in serials]
        self.connection.dataReceived(b"".join(frame.raw for frame in frames))

    def answer(self, serial: int) -> None:
        self.connection.reply(remote.CONNECT_GET_HOSTNAME.reply_frame(serial, HOSTNAME))

    def turns(self) -> None:
        """Let the loop turn until nothing is left to do."""
        while self.clock.getDelayedCalls():
            self.clock.advance(0)

    @property
    def served(self) -> list[int]:
        return [frame.serial for frame in self.session.frames]

    @property
    def sent(self) -> list[int]:
        frames = Framer().feed(bytes(self.transport.written))
        return [frame.serial for frame in frames]


def test_calls_over_the_limit_wait_for_answers() -> None:
    server = Server(max_requests=2)
    server.calls(1, 2, 3, 4)
    assert server.served == [1, 2]
    server.answer(2)
    assert server.served == [1, 2, 3]
    server.answer(1)
    server.answer(3)
    assert server.served == [1, 2, 3, 4]
    assert server.sent == [2, 1, 3]


def test_when_too_many_wait_nothing_more_is_read() -> None:
    server = Server(max_requests=2)
    server.calls(*range(1, 2 + WAITING_CALLS_MAX))
    server.turns()
    assert server.transport.reads()
    server.calls(100)
    assert not server.transport.reads()
    server.answer(1)
    assert server.transport.reads()


def test_when_too_large_calls_wait_nothing_more_is_read() -> None:
    server = Server(max_requests=1)
    server.calls(1)
    server.connection.dataReceived(pack(0x20008086, 1, 59, CALL, 2, OK, bytes(WAITING_BYTES_MAX)).raw)
    assert not server.transport.reads()
    server.answer(1)
    assert server.transport.reads()


class Lanes(ScriptedSession):
    """A session whose calls with even and odd serials are served by different backends."""

    owed = 0

    def lane(self, frame: Frame) -> int | None:
        return frame.serial % 2

    def has_room(self, lane: int | None, most: int) -> bool:
        waiting = [frame for frame in self.frames if frame.serial % 2 == lane]
        return bool(len(waiting) - self.script.answered[lane] < most)  # type: ignore[attr-defined]


def test_a_stuck_lane_leaves_the_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(max_requests=2)
    server.script.answered = {0: 0, 1: 0}  # type: ignore[attr-defined]
    server.connection._session.__class__ = Lanes
    server.calls(1, 3, 5, 7)
    assert server.served == [1, 3]
    server.calls(2, 4, 6)
    assert server.served == [1, 3, 2, 4]
    server.script.answered[0] += 1  # type: ignore[attr-defined]
    server.answer(2)
    assert server.served == [1, 3, 2, 4, 6]
    server.script.answered[1] += 1  # type: ignore[attr-defined]
    server.answer(1)
    assert server.served == [1, 3, 2, 4, 6, 5]


def test_only_what_goes_on_to_somebody_is_progress() -> None:
    server = Server()
    server.connection.dataReceived(PING.raw)
    assert not server.connection.made_progress()
    server.calls(1)
    assert server.connection.made_progress()
    assert not server.connection.made_progress()


def test_many_quick_calls_in_one_piece_are_all_served_in_order() -> None:
    server = Server(max_requests=3)
    server.script.answers[remote.CONNECT_GET_HOSTNAME] = HOSTNAME
    server.calls(*range(1, 5001))
    server.turns()
    assert server.sent == list(range(1, 5001))
    assert server.transport.reads()


def test_waiting_calls_served_at_once_do_not_recurse() -> None:
    server = Server(max_requests=1)
    server.calls(*range(1, 3001))
    server.script.answers[remote.CONNECT_GET_HOSTNAME] = HOSTNAME
    server.answer(1)
    server.turns()
    assert server.sent == list(range(1, 3001))


def test_keepalive_past_the_limit_is_answered() -> None:
    server = Server(max_requests=1)
    server.calls(1)
    server.connection.dataReceived(remote.CONNECT_GET_HOSTNAME.call_frame(2, None).raw + PING.raw)
    assert bytes(server.transport.written) == PONG.raw


def test_streams_and_events_pass_outside_the_limit() -> None:
    server = Server(max_requests=1)
    server.calls(1, 2)
    for kind in (STREAM, STREAM_HOLE):
        server.connection.dataReceived(pack(0x20008086, 1, 208, kind, 9, CONTINUE, b"data").raw)
    assert [frame.type for frame in server.session.stream_frames] == [STREAM, STREAM_HOLE]
    lifecycle = remote.DomainEventLifecycleMsg(
        dom=remote.NonnullDomain(name="a", uuid=bytes(16), id=1), event=1, detail=2
    )
    server.session.event(remote.DOMAIN_EVENT_LIFECYCLE, lifecycle)
    (frame,) = Framer().feed(bytes(server.transport.written))
    assert (frame.type, remote.DOMAIN_EVENT_LIFECYCLE.decode_args(frame)) == (MESSAGE, lifecycle)


@pytest.mark.parametrize("kind", [REPLY, MESSAGE, 7, 2**31, 2**32 - 1])
def test_packets_no_server_accepts_are_dropped(kind: int) -> None:
    server = Server()
    server.connection.dataReceived(pack(0x20008086, 1, 59, kind, 1, OK).raw)
    assert not server.session.calls
    assert not server.transport.written
    assert not server.transport.closing
    server.calls(2)
    assert server.served == [2]


def test_descriptors_of_a_dropped_packet_are_closed() -> None:
    server = Server()
    reader, writer = os.pipe()
    server.connection.fdsReceived([reader, writer])
    server.connection.dataReceived(pack(1, 1, 1, REPLY_WITH_FDS, 1, OK, b"", (reader, writer)).raw + b"\0\0")
    for fd in (reader, writer):
        with pytest.raises(OSError):
            os.fstat(fd)


def test_what_waits_is_dropped_with_the_client() -> None:
    server = Server(max_requests=1)
    server.calls(1)
    reader, writer = os.pipe()
    server.connection.fdsReceived([reader])
    server.connection.dataReceived(pack(0x20008086, 1, 249, CALL_WITH_FDS, 2, OK, b"", (reader,)).raw + b"\0")
    os.fstat(reader)
    server.transport.end()
    with pytest.raises(OSError):
        os.fstat(reader)
    os.close(writer)
    assert server.session.lost == "the other side closed it"
    assert server.gone == [server.connection]
    server.answer(1)
    assert server.served == [1]


def test_a_client_that_reads_nothing_is_not_read_from() -> None:
    server = Server()
    server.transport.producer.pauseProducing()
    assert server.session.flow == ["full"]
    assert not server.transport.reads()
    server.transport.producer.resumeProducing()
    assert server.session.flow == ["full", "drained"]
    assert server.transport.reads()


def test_waiting_calls_are_not_served_once_closed() -> None:
    server = Server(max_requests=1)
    server.calls(1, 2)
    server.connection.close("enough")
    server.answer(1)
    assert server.served == [1]
    server.transport.end()
    assert server.session.lost == "enough"


def test_a_call_with_a_count_but_no_descriptors_closes() -> None:
    server = Server()
    packet = pack(0x20008086, 1, 249, CALL, 1, OK, (2).to_bytes(4, "big"))
    raw = bytearray(packet.raw)
    raw[16:20] = CALL_WITH_FDS.to_bytes(4, "big")
    server.connection.dataReceived(bytes(raw) + b"\0\0")
    assert server.transport.closing
    server.transport.end()
    reason: Any = server.session.lost
    assert "announces 2 descriptors; 0 arrived" in reason
