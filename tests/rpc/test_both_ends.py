# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client end and the server end through a real socket: much at a time, descriptors, and a stopped reader."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.support.scripted import LATER, Script, ScriptedSession
from virtproxy.protocol import remote
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.transport import HIGH_WATER, SocketTransport
from virtproxy.wire.frame import CONTINUE, OK, REPLY_WITH_FDS, pack
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

DOMAIN = remote.NonnullDomain(name="guest", uuid=bytes(16), id=1)
VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")
DOWNLOAD = remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=0)
UPLOAD = remote.StorageVolUploadArgs(vol=VOLUME, offset=0, length=0, flags=0)


@dataclass
class Both:
    """Two ends on a socketpair."""

    script: Script
    client: ClientConnection
    ours: SocketTransport
    theirs: SocketTransport

    @property
    def session(self) -> ScriptedSession:
        return self.script.only


async def until(condition: Callable[[], object]) -> None:
    """Let the reactor turn until the condition holds."""
    from twisted.internet import reactor

    clock: Any = reactor
    while not condition():
        await deferLater(clock, 0.001)


@pytest_twisted.async_yield_fixture
async def both() -> AsyncIterator[Both]:
    from twisted.internet import reactor

    one, other = socket.socketpair()
    script, client = Script(), ClientConnection(reactor)
    ours = SocketTransport(reactor, one, client)
    theirs = SocketTransport(reactor, other, script.connection(reactor))
    ours.start()
    theirs.start()
    yield Both(script, client, ours, theirs)
    ours.abortConnection()
    await until(lambda: ours.disconnected and theirs.disconnected)


@pytest_twisted.ensureDeferred
async def test_a_thousand_calls_at_once(both: Both) -> None:
    names: list[str] = []

    def look_up(args: remote.DomainLookupByNameArgs) -> remote.DomainLookupByNameRet:
        names.append(args.name)
        return remote.DomainLookupByNameRet(dom=remote.NonnullDomain(name=args.name, uuid=bytes(16), id=-1))

    both.script.answers[remote.DOMAIN_LOOKUP_BY_NAME] = look_up
    wanted = [f"guest-{number}" * 50 for number in range(1000)]
    calls = [both.client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name=n)) for n in wanted]
    answers = await gatherResults(calls)
    assert [answer.dom.name for answer in answers] == wanted == names


@pytest_twisted.ensureDeferred
async def test_descriptors_both_ways(both: Both) -> None:
    reader, writer = os.pipe()
    both.script.answers[remote.DOMAIN_FD_ASSOCIATE] = None
    args = remote.DomainFdAssociateArgs(dom=DOMAIN, name="disk", flags=0)
    await both.client.call(remote.DOMAIN_FD_ASSOCIATE, args, [writer])
    (fd,) = both.session.frames[0].fds
    assert os.fstat(fd).st_ino == os.fstat(reader).st_ino
    both.session.connection.discard(both.session.frames[0])

    def graphics(args: object) -> object:
        reply = pack(0x20008086, 1, 343, REPLY_WITH_FDS, 2, OK, b"", (reader,))
        both.session.connection.reply(reply)
        return LATER

    both.script.answers[remote.DOMAIN_OPEN_GRAPHICS_FD] = graphics
    await both.client.call(remote.DOMAIN_OPEN_GRAPHICS_FD, remote.DomainOpenGraphicsFdArgs(dom=DOMAIN, idx=0, flags=0))
    (got,) = both.client.take_fds()
    assert os.read(got, 1) == b""
    os.close(got)


@pytest_twisted.ensureDeferred
async def test_megabytes_up(both: Both) -> None:
    both.script.answers[remote.STORAGE_VOL_UPLOAD] = None
    both.script.on_stream = lambda session, frame: session.send_stream(frame, b"", OK) if frame.status == OK else None
    opened, stream = both.client.open_stream(remote.STORAGE_VOL_UPLOAD, UPLOAD)
    await opened
    data = os.urandom(1_000_003)
    for _ in range(8):
        await stream.write(data)
        assert both.ours.queued <= HIGH_WATER + STREAM_PAYLOAD_MAX + 100
    await stream.finish()
    received = b"".join(bytes(frame.payload) for frame in both.session.stream_frames)
    assert received == data * 8


@pytest_twisted.ensureDeferred
async def test_a_stopped_reader_stops_the_server_in_bounds(both: Both) -> None:
    both.script.answers[remote.STORAGE_VOL_DOWNLOAD] = None
    opened, stream = both.client.open_stream(remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    await opened
    opening = both.session.frames[0]
    packet, total, sent = b"d" * STREAM_PAYLOAD_MAX, 200, 0
    received = 0

    def fill() -> bool:
        nonlocal sent
        while sent < total and both.session.flow[-1:] != ["full"]:
            both.session.send_stream(opening, packet, CONTINUE)
            sent += 1
        return both.session.flow[-1:] == ["full"]

    await until(fill)
    stuck = sent
    assert stuck * STREAM_PAYLOAD_MAX < 16 * 1024 * 1024
    while received < total:
        received += len(await stream.read()) // STREAM_PAYLOAD_MAX
        if both.session.flow[-1:] == ["drained"]:
            fill()
    assert sent == total
    await until(lambda: both.session.flow[-1:] == ["drained"])
    both.session.send_stream(opening)
    assert await stream.read() == b""


@pytest_twisted.ensureDeferred
async def test_the_other_end_notices_a_loss(both: Both) -> None:
    told: Deferred[str] = Deferred()
    both.client.when_lost.append(told.callback)
    both.theirs.abortConnection()
    assert await told
    assert both.session.lost is not None
    assert "the connection was aborted" in both.session.lost
