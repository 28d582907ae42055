# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams of the client end, packet by packet against the real server end, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.memory import Cut, Wire, pieces_of, whole
from tests.support.scripted import Script, ScriptedSession
from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.net import StreamHole
from virtproxy.rpc.client import ClientConnection, ConnectionClosed
from virtproxy.rpc.streams import HOLE_COST, KEPT_HIGH, ClientStream, Hole
from virtproxy.wire.codec import decode, encode
from virtproxy.wire.frame import CONTINUE, ERROR, OK, STREAM, STREAM_HOLE, pack
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")
DOWNLOAD = remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=1)
UPLOAD = remote.StorageVolUploadArgs(vol=VOLUME, offset=0, length=0, flags=1)


class Conversation:
    """A client and a scripted server with one stream open."""

    def __init__(self, cut: Cut = whole, upload: bool = False) -> None:
        self.script = Script()
        self.script.answers[remote.STORAGE_VOL_DOWNLOAD] = None
        self.script.answers[remote.STORAGE_VOL_UPLOAD] = None
        clock = Clock()
        self.client = ClientConnection(clock)
        self.server = self.script.connection(clock)
        self.wire = Wire(self.client, self.server, cut)
        if upload:
            opened, self.stream = self.client.open_stream(remote.STORAGE_VOL_UPLOAD, UPLOAD)
        else:
            opened, self.stream = self.client.open_stream(remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
        self.wire.carry()
        assert results(opened) == [None]

    @property
    def session(self) -> ScriptedSession:
        return self.script.only

    def send(self, data: bytes = b"", status: int = CONTINUE, kind: int = STREAM) -> None:
        self.session.send_stream(self.session.frames[0], data, status, kind)

    def hole(self, length: int) -> None:
        self.send(encode(StreamHole(length=length, flags=0)), CONTINUE, STREAM_HOLE)

    def run(self, steps: Coroutine[Any, Any, Any]) -> list[Any]:
        """Start the steps, carry what they cause, return their result (or nothing if they still wait)."""
        running = Deferred.fromCoroutine(steps)
        self.wire.carry()
        return results(running)

    @property
    def received(self) -> list[tuple[int, int, bytes]]:
        return [(frame.type, frame.status, bytes(frame.payload)) for frame in self.session.stream_frames]


def results(deferred: Deferred[Any]) -> list[Any]:
    """What a Deferred has fired with: a value or an exception."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


async def read_all(stream: ClientStream) -> list[bytes | Hole]:
    items: list[bytes | Hole] = []
    while item := await stream.read_item():
        items.append(item)
    return items


@pytest.mark.parametrize("cut", [whole, pieces_of(1), pieces_of(7), pieces_of(4096)])
def test_a_download_with_holes(cut: Cut) -> None:
    talk = Conversation(cut)
    talk.send(b"abc")
    talk.hole(100_000)
    talk.send(b"d" * 5000)
    talk.send()
    assert talk.run(read_all(talk.stream)) == [[b"abc", Hole(100_000), b"d" * 5000]]
    assert talk.stream.at_end
    talk.script.on_stream = lambda session, frame: session.send_stream(frame, b"", OK)
    assert talk.run(talk.stream.finish()) == [None]
    assert talk.received == [(STREAM, OK, b"")]
    assert talk.stream.over
    assert talk.run(talk.stream.finish()) == [None]
    assert len(talk.received) == 1


def test_holes_are_zeros_for_who_reads_bytes() -> None:
    talk = Conversation()
    talk.hole(STREAM_PAYLOAD_MAX + 10)
    talk.send(b"x")
    assert talk.run(talk.stream.read()) == [bytes(STREAM_PAYLOAD_MAX)]
    assert talk.run(talk.stream.read()) == [bytes(10)]
    assert talk.run(talk.stream.read()) == [b"x"]


def test_a_reader_waits_for_data() -> None:
    talk = Conversation()
    waiting = Deferred.fromCoroutine(talk.stream.read())
    assert not waiting.called
    assert isinstance(talk.run(talk.stream.read())[0], RuntimeError)
    talk.send(b"now")
    talk.wire.carry()
    assert results(waiting) == [b"now"]


def test_an_empty_hole_is_nothing_and_a_negative_one_the_end() -> None:
    talk = Conversation()
    talk.hole(0)
    talk.send(b"x")
    talk.wire.carry()
    assert talk.run(talk.stream.read_item()) == [b"x"]
    talk.hole(-1)
    talk.wire.carry()
    (error,) = talk.run(talk.stream.read())
    assert isinstance(error, ConnectionClosed)
    assert "a stream hole of -1 bytes" in str(error)


@pytest.mark.parametrize("cut", [whole, pieces_of(1000)])
def test_an_upload_with_holes(cut: Cut) -> None:
    talk = Conversation(cut, upload=True)
    data = bytes(range(256)) * 2000
    assert talk.run(talk.stream.write(data)) == [None]
    assert talk.run(talk.stream.write_hole(2**40)) == [None]
    assert talk.run(talk.stream.write(b"")) == [None]
    ending = Deferred.fromCoroutine(talk.stream.finish())
    talk.wire.carry()
    assert not ending.called
    kinds = [(kind, status) for kind, status, _ in talk.received]
    assert kinds == [(STREAM, CONTINUE)] * 2 + [(STREAM_HOLE, CONTINUE), (STREAM, OK)]
    assert talk.received[0][2] + talk.received[1][2] == data
    assert len(talk.received[0][2]) == STREAM_PAYLOAD_MAX
    assert decode(StreamHole, talk.received[2][2]) == StreamHole(length=2**40, flags=0)
    talk.send(b"", OK)
    talk.wire.carry()
    assert results(ending) == [None]
    assert isinstance(talk.run(talk.stream.write(b"late"))[0], RuntimeError)


def test_an_error_ends_reading_and_writing() -> None:
    talk = Conversation()
    talk.send(b"some")
    talk.session.fail_stream(talk.session.frames[0], errors.internal("disk full"))
    assert talk.run(talk.stream.read()) == [b"some"]
    for steps in (talk.stream.read(), talk.stream.write(b"x"), talk.stream.write_hole(1), talk.stream.finish()):
        (error,) = talk.run(steps)
        assert isinstance(error, VirtError)
        assert (error.code, error.message) == (ErrorCode.INTERNAL_ERROR, "internal error: disk full")
    assert talk.run(talk.stream.abort()) == [None]
    assert not talk.received


def test_an_error_is_the_answer_to_finish() -> None:
    talk = Conversation(upload=True)
    talk.script.on_stream = lambda session, frame: session.fail_stream(frame, errors.internal("disk full"))
    (error,) = talk.run(talk.stream.finish())
    assert isinstance(error, VirtError)
    assert error.message == "internal error: disk full"


def test_abort_forgets_what_was_not_read() -> None:
    talk = Conversation()
    talk.send(b"a" * 1000)
    talk.wire.carry()
    aborting = Deferred.fromCoroutine(talk.stream.abort())
    talk.send(b"b" * 1000)
    talk.wire.carry()
    assert talk.received == [(STREAM, ERROR, b"")]
    talk.send(b"", OK)
    talk.wire.carry()
    assert results(aborting) == [None]
    assert talk.run(talk.stream.read()) == [b""]


def test_packets_for_no_stream_are_dropped() -> None:
    talk = Conversation()
    talk.session.connection.send(pack(0x20008086, 1, 209, STREAM, 999, CONTINUE, b"whose?"))
    talk.send(b"mine")
    assert talk.run(talk.stream.read()) == [b"mine"]


def test_a_stream_that_is_not_read_stops_the_connection_and_no_other_way() -> None:
    talk = Conversation()
    client_end = talk.wire.ends[0]
    sent = 0
    while client_end.reads():
        talk.send(b"x" * STREAM_PAYLOAD_MAX)
        sent += 1
        talk.wire.carry()
    assert sent == KEPT_HIGH // STREAM_PAYLOAD_MAX + 1
    while not client_end.reads():
        assert len(talk.run(talk.stream.read())[0]) == STREAM_PAYLOAD_MAX
        sent -= 1
    assert sent > 0
    talk.send()
    assert len(talk.run(read_all(talk.stream))[0]) == sent


def test_endless_holes_stop_the_connection_too() -> None:
    talk = Conversation()
    sent = 0
    while talk.wire.ends[0].reads():
        talk.hole(1)
        sent += 1
        talk.wire.carry()
    assert sent == KEPT_HIGH // HOLE_COST + 1
    aborting = Deferred.fromCoroutine(talk.stream.abort())
    assert talk.wire.ends[0].reads()
    talk.send(b"", OK)
    talk.wire.carry()
    assert results(aborting) == [None]


def test_a_writer_waits_while_the_daemon_reads_nothing() -> None:
    talk = Conversation(upload=True)
    talk.wire.ends[0].producer.pauseProducing()
    writing = Deferred.fromCoroutine(talk.stream.write(b"x" * (2 * STREAM_PAYLOAD_MAX)))
    talk.wire.carry()
    assert [len(data) for _, _, data in talk.received] == [STREAM_PAYLOAD_MAX]
    assert not writing.called
    talk.wire.ends[0].producer.resumeProducing()
    talk.wire.carry()
    assert results(writing) == [None]
    assert len(talk.received) == 2


def test_a_lost_connection_fails_reader_and_finish() -> None:
    waits: list[Callable[[ClientStream], Coroutine[Any, Any, object]]] = [ClientStream.read, ClientStream.finish]
    for wait in waits:
        talk = Conversation()
        running = Deferred.fromCoroutine(wait(talk.stream))
        talk.session.connection.close()
        talk.wire.carry()
        (error,) = results(running)
        assert isinstance(error, ConnectionClosed)


def test_a_call_that_fails_opens_no_stream() -> None:
    talk = Conversation()

    def refuse(args: object) -> None:
        raise errors.internal("no such volume")

    talk.script.answers[remote.STORAGE_VOL_UPLOAD] = refuse
    opened, stream = talk.client.open_stream(remote.STORAGE_VOL_UPLOAD, UPLOAD)
    talk.wire.carry()
    (error,) = results(opened)
    assert isinstance(error, VirtError)
    talk.session.connection.send(pack(0x20008086, 1, 208, STREAM, 2, CONTINUE, b"late"))
    assert talk.run(stream.read()) == [error]
