# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deadlines: late calls fail, late answers go nowhere, late streams are broken where they were opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.routing.test_session import NETWORKS, TYPE, Daemons, called
from tests.support.proxy import Proxy, settle
from tests.support.scripted import LATER
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import decode_error
from virtproxy.routing.procedures import PLAIN
from virtproxy.routing.rules.deadline import DeadlineRule
from virtproxy.routing.stages import Request, Stage
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.frame import CONTINUE, ERROR, STREAM, Frame, pack

TimedProxy = Callable[..., Proxy]
HOSTNAME = remote.ConnectGetHostnameRet(hostname="here")
VOLUME = remote.NonnullStorageVol(pool="p", name="v", key="/v")
UPLOAD = remote.DomainOpenConsoleArgs(dom=remote.NonnullDomain(name="g", uuid=bytes(16), id=1), dev_name=None, flags=0)
RULE = DeadlineRule({remote.CONNECT_GET_HOSTNAME: 5, remote.DOMAIN_OPEN_CONSOLE: 10}, late_max=2)


@pytest.fixture(autouse=True)
def answers(daemons: Daemons) -> None:
    answers = daemons["qemu"].script.answers
    answers[remote.CONNECT_GET_TYPE] = TYPE
    answers[remote.CONNECT_GET_HOSTNAME] = lambda args: LATER
    answers[remote.DOMAIN_OPEN_CONSOLE] = lambda args: LATER
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = NETWORKS


async def opened(proxy: Proxy) -> ClientConnection:
    return await proxy.client("qemu:///system")


@pytest_twisted.ensureDeferred
async def test_a_late_call_fails_and_its_answer_is_dropped(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    client = await opened(timed_proxy(stages=[RULE]))
    call = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop)
    clock.advance(4.9)
    await settle(loop)
    assert not call.called
    clock.advance(0.2)
    with pytest.raises(VirtError) as caught:
        await call
    error = caught.value
    assert (error.code, error.domain) == (ErrorCode.OPERATION_TIMEOUT, ErrorDomain.RPC)
    assert "virtqemud did not answer CONNECT_GET_HOSTNAME within 5 s" in str(error.message)
    session = daemons["qemu"].script.only
    late = session.frames[-1]
    session.connection.reply(remote.CONNECT_GET_HOSTNAME.reply_frame(late.serial, HOSTNAME))
    await settle(loop)
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_an_answer_in_time_stops_the_clock(daemons: Daemons, timed_proxy: TimedProxy, clock: Clock) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_HOSTNAME] = HOSTNAME
    proxy = timed_proxy(stages=[RULE])
    client = await opened(proxy)
    before = len(clock.getDelayedCalls())
    assert await client.call(remote.CONNECT_GET_HOSTNAME) == HOSTNAME
    assert len(clock.getDelayedCalls()) == before
    assert proxy.sessions[0].pipeline.requests == {}


@pytest_twisted.ensureDeferred
async def test_what_has_no_deadline_stays_on_the_short_way(daemons: Daemons, timed_proxy: TimedProxy) -> None:
    proxy = timed_proxy(stages=[RULE])
    await opened(proxy)
    hostname = (remote.PROGRAM.number, 1, remote.CONNECT_GET_HOSTNAME.number)
    assert set(PLAIN) - set(proxy.sessions[0].pipeline.plain) == {hostname}


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_late_too_often_is_not_asked_until_it_answers(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    client = await opened(timed_proxy(stages=[RULE]))
    late = [client.call(remote.CONNECT_GET_HOSTNAME) for _ in range(2)]
    await settle(loop)
    clock.advance(5)
    for call in late:
        with pytest.raises(VirtError, match="within 5 s"):
            await call
    with pytest.raises(VirtError, match="virtqemud still owes answers to 2 earlier calls of this connection"):
        await client.call(remote.CONNECT_GET_HOSTNAME)
    assert called(daemons["qemu"]).count("CONNECT_GET_HOSTNAME") == 2
    session = daemons["qemu"].script.only
    session.connection.reply(remote.CONNECT_GET_HOSTNAME.reply_frame(session.frames[-1].serial, HOSTNAME))
    await settle(loop)
    daemons["qemu"].script.answers[remote.CONNECT_GET_HOSTNAME] = HOSTNAME
    assert await client.call(remote.CONNECT_GET_HOSTNAME) == HOSTNAME


@pytest_twisted.ensureDeferred
async def test_a_stream_that_is_opened_too_late_is_broken_at_its_daemon(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    proxy = timed_proxy(stages=[RULE])
    client = await opened(proxy)
    call, _ = client.open_stream(remote.DOMAIN_OPEN_CONSOLE, UPLOAD)
    await settle(loop)
    clock.advance(10)
    with pytest.raises(VirtError, match="DOMAIN_OPEN_CONSOLE within 10 s"):
        await call
    session = daemons["qemu"].script.only
    opening = session.frames[-1]
    client.send(_packet(opening))
    await settle(loop)
    assert session.stream_frames == []
    session.connection.reply(remote.DOMAIN_OPEN_CONSOLE.reply_frame(opening.serial, None))
    await settle(loop)
    (broken,) = session.stream_frames
    assert (broken.serial, broken.procedure, broken.status) == (opening.serial, opening.procedure, ERROR)
    assert decode_error(broken).code == ErrorCode.OPERATION_TIMEOUT
    assert proxy.sessions[0].pipeline.requests == {}


def _packet(opening: Frame) -> Frame:
    return pack(opening.program, 1, opening.procedure, STREAM, opening.serial, CONTINUE, b"typed")


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_thought_about_for_too_long_fails_too(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    thought: Deferred[None] = Deferred()

    class Thinking(Stage):
        def sees(self, procedure: Any) -> bool:
            return procedure is remote.CONNECT_GET_HOSTNAME

        async def call(self, request: Request) -> None:
            await thought

    proxy = timed_proxy(stages=[RULE, lambda session: Thinking()])
    client = await opened(proxy)
    call = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop)
    clock.advance(5)
    with pytest.raises(VirtError, match="CONNECT_GET_HOSTNAME for virtqemud was not let through within 5 s"):
        await call
    thought.callback(None)
    await settle(loop)
    assert "CONNECT_GET_HOSTNAME" not in called(daemons["qemu"])
    assert proxy.sessions[0].pipeline.requests == {}


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_takes_its_timers_along(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    client = await opened(timed_proxy(stages=[RULE]))
    before = len(clock.getDelayedCalls())
    call = client.call(remote.CONNECT_GET_HOSTNAME)
    call.addErrback(lambda failure: None)
    await settle(loop)
    assert len(clock.getDelayedCalls()) > before
    client.abort("it leaves")
    await settle(loop)
    assert all("_over" not in str(call) for call in clock.getDelayedCalls())
