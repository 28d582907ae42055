# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that ends: what is on its way is finished within the time for it, the rest is refused in words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.support.proxy import Proxy, settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.daemon.drain import Drain, unread
from virtproxy.daemon.present import Present
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.stages import Request, Stage
from virtproxy.rpc.client import ClientConnection

Daemons = dict[str, ScriptedDaemon]
HOSTNAME = remote.ConnectGetHostnameRet(hostname="here")
VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="k")
DOWNLOAD = remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=0)


class Seen(Stage):
    """Looks at every call, so that all take the long way."""

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return True

    def call(self, request: Request) -> None:
        request.notes["seen"] = True


@pytest.fixture(params=["plain", "seen"])
def proxy(request: Any, timed_proxy: Callable[..., Proxy], daemons: Daemons) -> Proxy:
    """Its daemons owe the host's name until the test answers."""
    answers = daemons["qemu"].script.answers
    answers[remote.CONNECT_GET_HOSTNAME] = lambda args: LATER
    answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="QEMU")
    sockets = dict.fromkeys(("qemu", "storage"), daemons["qemu"].path)
    stages = (lambda session: Seen(),) if request.param == "seen" else ()
    return timed_proxy(sockets=sockets, stages=stages)


class Draining:
    """A drain of all sessions of a proxy that is under way."""

    def __init__(self, proxy: Proxy, clock: Clock, seconds: float = 15) -> None:
        self.present = {
            number: Present(number, "unix", end=partial(self._end, number), session=session)
            for number, session in enumerate(proxy.sessions)
        }
        self.ended: list[int] = []
        self.drain = Drain(clock, seconds, self.present, lambda: not self.present)
        self.over: Deferred[None] = ensureDeferred(self.drain.run())

    def _end(self, number: int, reason: str) -> None:
        self.ended.append(number)
        session = self.present.pop(number).session
        assert session is not None
        session.client.close(reason)
        self.drain.left()


def answer(daemon: ScriptedDaemon) -> None:
    """Answer the newest call for the host's name."""
    for session in daemon.script.sessions:
        for frame, (procedure, _) in zip(session.frames, session.calls, strict=True):
            if procedure is remote.CONNECT_GET_HOSTNAME:
                session.connection.reply(procedure.reply_frame(frame.serial, HOSTNAME))


async def owed(client: ClientConnection, loop: Any) -> Deferred[Any]:
    """A call that is on its way."""
    call = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop, 3)
    return call


@pytest_twisted.ensureDeferred
async def test_calls_on_their_way_are_finished_and_new_ones_refused(
    proxy: Proxy, daemons: Daemons, clock: Clock, loop: Any
) -> None:
    busy, idle = await proxy.client("qemu:///system"), await proxy.client("qemu:///system")
    await idle.call(remote.CONNECT_GET_TYPE)
    first = await owed(busy, loop)
    draining = Draining(proxy, clock)
    for client in (busy, idle):
        with pytest.raises(VirtError, match="the daemon is stopping: the call was not made"):
            await client.call(remote.CONNECT_GET_TYPE)
    clock.advance(0.1)
    assert draining.ended == [1]
    clock.advance(10)
    assert not draining.over.called
    answer(daemons["qemu"])
    await settle(loop)
    assert await first == HOSTNAME
    clock.advance(0.1)
    await draining.over
    assert draining.ended == [1, 0]


@pytest_twisted.ensureDeferred
async def test_a_goodbye_is_answered(proxy: Proxy, clock: Clock) -> None:
    client = await proxy.client("qemu:///system")
    draining = Draining(proxy, clock)
    await client.call(remote.CONNECT_CLOSE)
    clock.advance(0.1)
    await draining.over


@pytest_twisted.ensureDeferred
async def test_what_is_late_is_cut_off_in_words(proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    first = await owed(client, loop)
    draining = Draining(proxy, clock)
    clock.pump([0.1] * 152)
    await draining.over
    with pytest.raises(VirtError, match="stopped before the call was answered; it may still take effect"):
        await first


@pytest_twisted.ensureDeferred
async def test_told_again_it_does_not_wait(proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    first = await owed(client, loop)
    draining = Draining(proxy, clock)
    draining.drain.hurry()
    await draining.over
    with pytest.raises(VirtError, match="it may still take effect"):
        await first


@pytest_twisted.ensureDeferred
async def test_without_time_nothing_is_waited_for(proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    first = await owed(client, loop)
    await Draining(proxy, clock, seconds=0).over
    with pytest.raises(VirtError, match="it may still take effect"):
        await first


@pytest_twisted.ensureDeferred
async def test_streams_end_with_an_error_once_the_calls_are_done(
    proxy: Proxy, daemons: Daemons, clock: Clock, loop: Any
) -> None:
    daemons["qemu"].script.answers[remote.STORAGE_VOL_DOWNLOAD] = None
    client = await proxy.client("qemu:///system")
    reply, stream = client.open_stream(remote.STORAGE_VOL_DOWNLOAD, DOWNLOAD)
    await reply
    first = await owed(client, loop)
    draining = Draining(proxy, clock)
    clock.advance(0.1)
    session = next(one for one in daemons["qemu"].script.sessions if one.calls[-1][0] is remote.STORAGE_VOL_DOWNLOAD)
    session.send_stream(session.frames[-1], b"still")
    assert await stream.read() == b"still"
    answer(daemons["qemu"])
    assert await first == HOSTNAME
    clock.advance(0.1)
    await draining.over
    with pytest.raises(VirtError, match="the stream was broken off"):
        await stream.read()


@pytest_twisted.ensureDeferred
async def test_nobody_connected_takes_no_time(proxy: Proxy, clock: Clock) -> None:
    await Draining(proxy, clock).over
    assert clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_does_not_go_is_left(proxy: Proxy, clock: Clock, loop: Any) -> None:
    await proxy.client("qemu:///system")
    ends: list[str] = []
    stays = Present(0, "unix", end=ends.append, session=proxy.sessions[0])
    drain = Drain(clock, 15, {0: stays}, lambda: False)
    over = ensureDeferred(drain.run())
    clock.pump([0.1] * 160)
    assert (set(ends), over.called) == ({"the daemon stops"}, False)
    clock.advance(2.0)
    assert over.called


@pytest_twisted.ensureDeferred
async def test_who_still_speaks_is_heard_out_for_a_while(proxy: Proxy, clock: Clock) -> None:
    await proxy.client("qemu:///system")
    await proxy.client("qemu:///system")
    draining = Draining(proxy, clock)
    pairs = [socket.socketpair(), socket.socketpair()]
    for number, (ours, theirs) in enumerate(pairs):
        theirs.send(b"call")
        draining.present[number].socket = ours
    clock.pump([0.1] * 5)
    assert draining.ended == []
    pairs[1][0].recv(10)
    clock.advance(0.1)
    assert draining.ended == [1]
    clock.pump([0.1] * 50)
    assert draining.ended == [1, 0]
    assert draining.over.called
    for one in (*pairs[0], *pairs[1]):
        one.close()


def test_what_nobody_read_is_seen() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert not unread(one)
        other.send(b"x")
        assert unread(one)
    assert not unread(one)
