# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way of calls, replies and events through the stages of a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.conftest import FlushErrors
from tests.routing.conftest import MakeProxy
from tests.routing.test_session import TYPE, Daemons, called
from tests.support.proxy import settle
from tests.support.scripted import LATER
from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.stages import Request, Stage
from virtproxy.wire.frame import Frame

NAME = remote.ConnectGetHostnameRet(hostname="true")


class Recorder(Stage):
    """Sees the named procedures; does to them what the test says."""

    def __init__(self, *seen: Procedure[Any, Any]) -> None:
        self.seen = seen
        self.log: list[str] = []
        self.on_call: Callable[[Request], Any] = lambda request: None
        self.on_reply: Callable[[Request, Frame], Any] = lambda request, frame: frame
        self.on_event: Callable[[Frame], Any] | None = None

    def profile(self) -> Any:
        return id(self)

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return procedure in self.seen

    def call(self, request: Request) -> Any:
        self.log.append(f"call {request.procedure.name}")
        return self.on_call(request)

    def reply(self, request: Request, frame: Frame) -> Any:
        self.log.append(f"reply {frame.status}")
        return self.on_reply(request, frame)

    def filters_events(self) -> bool:
        return self.on_event is not None

    def event(self, frame: Frame) -> Any:
        assert self.on_event is not None
        return self.on_event(frame)

    def close(self) -> None:
        self.log.append("close")


@pytest.fixture(autouse=True)
def answers(daemons: Daemons) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    daemons["qemu"].script.answers[remote.CONNECT_GET_HOSTNAME] = NAME


@pytest.fixture
def stage() -> Recorder:
    return Recorder(remote.CONNECT_GET_HOSTNAME)


def refuse(request: Request) -> None:
    raise errors.access_denied("not you")


@pytest_twisted.ensureDeferred
async def test_a_stage_sees_what_it_asks_for_and_nothing_else(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder
) -> None:
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert stage.log == []
    assert await client.call(remote.CONNECT_GET_HOSTNAME) == NAME
    assert stage.log == ["call CONNECT_GET_HOSTNAME", "reply 0"]


@pytest_twisted.ensureDeferred
async def test_a_refused_call_never_reaches_the_daemon(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder
) -> None:
    stage.on_call = refuse
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    with pytest.raises(VirtError, match="not you") as caught:
        await client.call(remote.CONNECT_GET_HOSTNAME)
    assert caught.value.code == ErrorCode.ACCESS_DENIED
    assert "CONNECT_GET_HOSTNAME" not in called(daemons["qemu"])
    assert stage.log == ["call CONNECT_GET_HOSTNAME", "reply 1"]


@pytest_twisted.ensureDeferred
async def test_the_first_stage_sees_the_refusal_of_the_second(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder
) -> None:
    second = Recorder(remote.CONNECT_GET_HOSTNAME)
    second.on_call = refuse
    client = await make_proxy(stages=[lambda session: stage, lambda session: second]).client("qemu:///system")
    with pytest.raises(VirtError, match="not you"):
        await client.call(remote.CONNECT_GET_HOSTNAME)
    assert stage.log[-1] == "reply 1"


@pytest_twisted.ensureDeferred
async def test_other_calls_pass_one_that_is_thought_about(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    thought: Deferred[None] = Deferred()

    async def think(request: Request) -> None:
        await thought

    stage.on_call = think
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    waiting = client.call(remote.CONNECT_GET_HOSTNAME)
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert not waiting.called
    thought.callback(None)
    assert await waiting == NAME


@pytest_twisted.ensureDeferred
async def test_a_reply_may_be_changed_even_later(daemons: Daemons, make_proxy: MakeProxy, stage: Recorder) -> None:
    async def other(request: Request, frame: Frame) -> Frame:
        return request.procedure.reply_frame(frame.serial, remote.ConnectGetHostnameRet(hostname="masked"))

    stage.on_reply = other
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    assert (await client.call(remote.CONNECT_GET_HOSTNAME)).hostname == "masked"


@pytest_twisted.ensureDeferred
async def test_a_broken_stage_admits_nobody_and_lets_nothing_out(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, flush_errors: FlushErrors
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    stage.on_call = broken
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    with pytest.raises(VirtError, match="a rule of the daemon failed"):
        await client.call(remote.CONNECT_GET_HOSTNAME)
    stage.on_call, stage.on_reply = lambda request: None, broken
    with pytest.raises(VirtError, match="a rule of the daemon failed"):
        await client.call(remote.CONNECT_GET_HOSTNAME)
    assert len(flush_errors(ZeroDivisionError)) == 2


@pytest_twisted.ensureDeferred
async def test_a_settled_call_is_answered_once(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    requests: list[Request] = []
    stage.on_call = requests.append
    daemons["qemu"].script.answers[remote.CONNECT_GET_HOSTNAME] = LATER
    proxy = make_proxy(stages=[lambda session: stage])
    client = await proxy.client("qemu:///system")
    waiting = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop)
    pipeline = requests[0].session.pipeline
    pipeline.settle(requests[0], errors.internal("too late"))
    with pytest.raises(VirtError, match="too late"):
        await waiting
    assert len(pipeline.requests) == 1
    daemon = daemons["qemu"].script.only
    daemon.connection.reply(remote.CONNECT_GET_HOSTNAME.reply_frame(daemon.frames[-1].serial, NAME))
    await settle(loop)
    assert pipeline.requests == {}
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_calls_behind_an_opening_that_is_thought_about_wait(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    stage = Recorder(remote.CONNECT_OPEN)
    thought: Deferred[None] = Deferred()

    async def think(request: Request) -> None:
        await thought

    stage.on_call = think
    client = await make_proxy(stages=[lambda session: stage]).client()
    opening = client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    waiting = client.call(remote.CONNECT_GET_TYPE)
    await settle(loop)
    thought.callback(None)
    await opening
    assert await waiting == TYPE


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_takes_its_thoughts_and_descriptors_along(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    stage = Recorder(remote.DOMAIN_OPEN_GRAPHICS)

    async def think(request: Request) -> None:
        await Deferred[None]()

    stage.on_call = think
    proxy = make_proxy(stages=[lambda session: stage])
    client = await proxy.client("qemu:///system")
    before = len(os.listdir("/proc/self/fd"))
    reading, writing = os.pipe()
    domain = remote.NonnullDomain(name="a", uuid=bytes(16), id=1)
    waiting = client.call(
        remote.DOMAIN_OPEN_GRAPHICS, remote.DomainOpenGraphicsArgs(dom=domain, idx=0, flags=0), fds=[writing]
    )
    waiting.addErrback(lambda failure: None)
    await settle(loop)
    os.close(reading)
    client.close()
    await settle(loop, 30)
    assert stage.log == ["call DOMAIN_OPEN_GRAPHICS", "close"]
    assert len(os.listdir("/proc/self/fd")) < before


@pytest_twisted.ensureDeferred
async def test_packets_of_a_stream_wait_for_their_call(daemons: Daemons, make_proxy: MakeProxy, loop: Any) -> None:
    stage = Recorder(remote.STORAGE_VOL_UPLOAD)
    thought: Deferred[None] = Deferred()

    async def think(request: Request) -> None:
        await thought

    stage.on_call = think
    client = await make_proxy(
        stages=[lambda session: stage], sockets={"qemu": daemons["qemu"].path, "storage": daemons["qemu"].path}
    ).client("qemu:///system")
    daemons["qemu"].script.answers[remote.STORAGE_VOL_UPLOAD] = None
    volume = remote.NonnullStorageVol(pool="p", name="v", key="k")
    args = remote.StorageVolUploadArgs(vol=volume, offset=0, length=0, flags=0)
    answer, stream = client.open_stream(remote.STORAGE_VOL_UPLOAD, args)
    writing = Deferred.fromCoroutine(stream.write(b"first"))
    await settle(loop)
    assert "STORAGE_VOL_UPLOAD" not in called(daemons["qemu"])
    thought.callback(None)
    await answer
    await writing
    await settle(loop, 30)
    seen = [packet for session in daemons["qemu"].script.sessions for packet in session.stream_frames]
    assert [bytes(packet.payload) for packet in seen] == [b"first"]


@pytest_twisted.ensureDeferred
async def test_events_keep_their_order_and_may_be_held_back(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    thoughts: list[Deferred[bool]] = []

    async def think(frame: Frame) -> Frame | None:
        thoughts.append(Deferred())
        return frame if await thoughts[-1] else None

    stage.on_event = think
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    seen: list[int] = []
    client.on_event(remote.DOMAIN_EVENT_REBOOT, lambda message: seen.append(message.dom.id))
    await client.call(remote.CONNECT_GET_TYPE)
    session = daemons["qemu"].script.only
    for number in range(3):
        domain = remote.NonnullDomain(name="a", uuid=bytes(16), id=number)
        session.event(remote.DOMAIN_EVENT_REBOOT, remote.DomainEventRebootMsg(dom=domain))
    await settle(loop, 20)
    assert len(thoughts) == 1
    for answer in (True, False, True):
        thoughts[-1].callback(answer)
        await settle(loop, 20)
    assert seen == [0, 2]


@pytest_twisted.ensureDeferred
async def test_what_is_thought_about_does_not_go_to_what_is_opened_next(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    thought: Deferred[None] = Deferred()

    async def think(request: Request) -> None:
        await thought

    stage.on_call = think
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    waiting = client.call(remote.CONNECT_GET_HOSTNAME)
    with pytest.raises(VirtError, match="already open"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///session", flags=0))
    if not thought.called:
        thought.callback(None)
    with pytest.raises(VirtError, match="given up"):
        await waiting
    assert "CONNECT_GET_HOSTNAME" not in called(daemons["qemu"])


@pytest_twisted.ensureDeferred
async def test_what_was_owed_before_an_opening_anew_is_not_owed_after_it(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    done: list[str] = []
    stage.on_call = lambda request: request.when_done.append(lambda: done.append(request.procedure.name))
    daemons["qemu"].script.answers[remote.CONNECT_GET_HOSTNAME] = LATER
    proxy = make_proxy(stages=[lambda session: stage])
    client = await proxy.client("qemu:///system")
    waiting = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop)
    with pytest.raises(VirtError, match="already open"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    await settle(loop)
    assert done == ["CONNECT_GET_HOSTNAME"] and proxy.sessions[-1].pipeline.requests == {}
    with pytest.raises(VirtError, match="opened anew"):
        await waiting


@pytest_twisted.ensureDeferred
async def test_many_events_may_wait_for_one(
    daemons: Daemons, make_proxy: MakeProxy, stage: Recorder, loop: Any
) -> None:
    first: Deferred[None] = Deferred()

    async def think(frame: Frame) -> Frame:
        await first
        return frame

    stage.on_event = think
    client = await make_proxy(stages=[lambda session: stage]).client("qemu:///system")
    heard: list[int] = []
    client.on_event(remote.DOMAIN_EVENT_REBOOT, lambda message: heard.append(message.dom.id))
    await client.call(remote.CONNECT_GET_TYPE)
    for number in range(250):
        domain = remote.NonnullDomain(name="a", uuid=bytes(16), id=number)
        daemons["qemu"].script.only.event(remote.DOMAIN_EVENT_REBOOT, remote.DomainEventRebootMsg(dom=domain))
    await settle(loop, 30)
    first.callback(None)
    await settle(loop, 30)
    assert heard == list(range(250))
