# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon shows of its clients, calls and packets, and that its clients notice nothing of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from tests.routing.conftest import MakeProxy, clock, daemons, loop, make_proxy
from tests.support.proxy import Proxy, settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.daemon import tap
from virtproxy.daemon.insight import Insight
from virtproxy.daemon.running import LOOK_SECONDS
from virtproxy.daemon.traces import FORGOTTEN_SECONDS, GATHER_SECONDS, WAIT_SECONDS
from virtproxy.errors import VirtError
from virtproxy.protocol import insight, remote
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.server import ServerConnection
from virtproxy.wire.frame import HEADER

__all__ = ["clock", "daemons", "loop", "make_proxy"]
DOMAIN = remote.NonnullDomain(name="web", uuid=bytes(16), id=3)
INFO = remote.DomainGetInfoArgs(dom=DOMAIN)
ALL = insight.TraceStartArgs(0, 1 << 20)


class Watched:
    """A proxy whose sessions an Insight with a pretended clock is told of, and a client that is open."""

    def __init__(self, proxy: Proxy, clock: Clock) -> None:
        self.proxy = proxy
        self.clock = clock
        self.insight = Insight(clock)

    def ask(self, procedure: Procedure[Any, Any], args: Any = None) -> Deferred[Any]:
        """As an administrator does."""
        return ensureDeferred(self.insight.answers()[procedure](args))

    async def client(self) -> Any:
        """A new client that has opened its URI."""
        client = await self.proxy.client("qemu:///system")
        self.insight.joined(len(self.proxy.sessions), self.proxy.sessions[-1])
        return client


@pytest.fixture
def watched(make_proxy: MakeProxy, clock: Clock) -> Iterator[Watched]:
    made = Watched(make_proxy(), clock)
    yield made
    made.insight.close()
    assert clock.getDelayedCalls() == []


@pytest.fixture(autouse=True)
def answers(daemons: dict[str, ScriptedDaemon]) -> None:
    daemons["qemu"].script.answers[remote.DOMAIN_GET_INFO] = LATER
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="QEMU")


@pytest_twisted.ensureDeferred
async def test_calls_in_flight_and_their_age(watched: Watched) -> None:
    client = await watched.client()
    client.call(remote.DOMAIN_GET_INFO, INFO).addErrback(lambda _: None)
    await settle(watched.proxy.reactor)
    assert (await watched.ask(insight.LIST_CALLS)).calls[0].age == 0
    watched.clock.advance(LOOK_SECONDS)
    client.call(remote.DOMAIN_GET_INFO, INFO).addErrback(lambda _: None)
    await settle(watched.proxy.reactor)
    watched.clock.pump([LOOK_SECONDS] * 60)
    found = await watched.ask(insight.LIST_CALLS)
    assert [(call.client, call.procedure, call.object, call.age) for call in found.calls] == [
        (1, remote.DOMAIN_GET_INFO.number, "web", 61000),
        (1, remote.DOMAIN_GET_INFO.number, "web", 59000),
    ]
    assert found.total == 2
    assert found.calls[0].place.startswith("virtqemud (/")
    (shown,) = (await watched.ask(insight.LIST_CLIENTS)).clients
    assert (shown.number, shown.transport, shown.connected, shown.in_flight) == (1, "unix", 61000, 2)
    assert f"uid:{os.getuid()}" in shown.subject.split()


@pytest_twisted.ensureDeferred
async def test_answered_calls_and_waiting_ones(watched: Watched) -> None:
    client = await watched.client()
    await client.call(remote.CONNECT_GET_TYPE)
    assert (await watched.ask(insight.LIST_CALLS)).calls == []
    for _ in range(7):
        client.call(remote.DOMAIN_GET_INFO, INFO).addErrback(lambda _: None)
    await settle(watched.proxy.reactor)
    places = [call.place for call in (await watched.ask(insight.LIST_CALLS)).calls]
    assert places.count("its turn") == 2
    assert len(places) == 7


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_does_not_open(watched: Watched, daemons: dict[str, ScriptedDaemon]) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = LATER
    client = await watched.proxy.client()
    await settle(watched.proxy.reactor)
    watched.insight.joined(1, watched.proxy.sessions[-1])
    client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0)).addErrback(lambda _: None)
    client.call(remote.CONNECT_GET_TYPE).addErrback(lambda _: None)
    await settle(watched.proxy.reactor)
    found = (await watched.ask(insight.LIST_CALLS)).calls
    assert [(call.procedure, call.place) for call in found] == [
        (remote.CONNECT_OPEN.number, "the daemon itself"),
        (remote.CONNECT_GET_TYPE.number, "the daemon itself"),
    ]
    client.abort("the test is over")
    await settle(watched.proxy.reactor)
    watched.insight.left(1)
    assert watched.clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_secrets_are_no_objects(watched: Watched, daemons: dict[str, ScriptedDaemon]) -> None:
    daemons["qemu"].script.answers[remote.DOMAIN_DEFINE_XML] = LATER
    client = await watched.client()
    args = remote.DomainDefineXmlArgs(xml="<domain><graphics passwd='hunter2'/></domain>")
    client.call(remote.DOMAIN_DEFINE_XML, args).addErrback(lambda _: None)
    await settle(watched.proxy.reactor)
    assert [call.object for call in (await watched.ask(insight.LIST_CALLS)).calls] == [""]


@pytest_twisted.ensureDeferred
async def test_packets_as_they_pass(watched: Watched) -> None:
    client, other = await watched.client(), await watched.client()
    trace = insight.TraceNextArgs((await watched.ask(insight.TRACE_START, ALL)).trace)
    coming = watched.ask(insight.TRACE_NEXT, trace)
    await client.call(remote.CONNECT_GET_TYPE)
    await other.call(remote.CONNECT_GET_TYPE)
    assert not coming.called
    watched.clock.advance(GATHER_SECONDS)
    got = await coming
    assert [(packet.client, packet.from_client) for packet in got.packets] == [
        (1, True), (1, False), (2, True), (2, False),
    ]  # fmt: skip
    assert got.packets[1].data.endswith(b"QEMU")
    assert [client.number for client in got.clients] == [1, 2]
    await client.call(remote.CONNECT_GET_TYPE)
    again = await watched.ask(insight.TRACE_NEXT, trace)
    assert (len(again.packets), again.clients, again.dropped) == (2, [], 0)
    await watched.ask(insight.TRACE_STOP, insight.TraceStopArgs(trace.trace))
    with pytest.raises(VirtError, match="there is no trace"):
        await watched.ask(insight.TRACE_NEXT, trace)


@pytest_twisted.ensureDeferred
async def test_who_has_left_is_still_told_of(watched: Watched) -> None:
    client = await watched.client()
    trace = (await watched.ask(insight.TRACE_START, ALL)).trace
    await client.call(remote.CONNECT_GET_TYPE)
    watched.insight.left(1)
    got = await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
    assert [client.subject.split()[0] for client in got.clients] == [f"uid:{os.getuid()}"]
    assert len(got.packets) == 2


@pytest_twisted.ensureDeferred
async def test_one_client_only_and_only_the_start(watched: Watched) -> None:
    client, other = await watched.client(), await watched.client()
    trace = (await watched.ask(insight.TRACE_START, insight.TraceStartArgs(2, 30))).trace
    await client.call(remote.CONNECT_GET_TYPE)
    await other.call(remote.CONNECT_GET_TYPE)
    got = await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
    assert [packet.client for packet in got.packets] == [2, 2]
    assert max(len(packet.data) for packet in got.packets) == 30


@pytest_twisted.ensureDeferred
async def test_clients_that_come_later_are_traced(watched: Watched) -> None:
    trace = (await watched.ask(insight.TRACE_START, ALL)).trace
    client = await watched.client()
    await client.call(remote.CONNECT_GET_TYPE)
    assert len((await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))).packets) == 2


def own(connection: ServerConnection) -> set[str]:
    """What a connection has in the place of its class's methods."""
    return {name for name in ("send", "send_pieces", "passage") if name in vars(connection)}


@pytest_twisted.ensureDeferred
async def test_nothing_is_left_of_a_trace(watched: Watched) -> None:
    client = await watched.client()
    connection = watched.proxy.sessions[0].client
    assert own(connection) == set()
    first = (await watched.ask(insight.TRACE_START, ALL)).trace
    second = (await watched.ask(insight.TRACE_START, ALL)).trace
    assert len(own(connection)) == 3
    await watched.ask(insight.TRACE_STOP, insight.TraceStopArgs(first))
    assert len(own(connection)) == 3
    await watched.ask(insight.TRACE_STOP, insight.TraceStopArgs(second))
    assert own(connection) == set()
    assert connection.receiver == connection.frame_received
    await client.call(remote.CONNECT_GET_TYPE)


@pytest_twisted.ensureDeferred
async def test_a_forgotten_trace_ends(watched: Watched) -> None:
    await watched.client()
    trace = insight.TraceNextArgs((await watched.ask(insight.TRACE_START, ALL)).trace)
    empty = watched.ask(insight.TRACE_NEXT, trace)
    watched.clock.advance(WAIT_SECONDS)
    assert (await empty).packets == []
    watched.clock.advance(FORGOTTEN_SECONDS)
    assert own(watched.proxy.sessions[0].client) == set()


@pytest_twisted.ensureDeferred
async def test_who_is_cut_off_traces_no_more(watched: Watched) -> None:
    await watched.client()
    trace = insight.TraceNextArgs((await watched.ask(insight.TRACE_START, ALL)).trace)
    coming = watched.ask(insight.TRACE_NEXT, trace)
    coming.addErrback(lambda _: None)
    coming.cancel()
    assert own(watched.proxy.sessions[0].client) == set()


@pytest_twisted.ensureDeferred
async def test_what_comes_too_fast_is_dropped_and_counted(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "PACKETS_MAX", 5)
    client = await watched.client()
    trace = (await watched.ask(insight.TRACE_START, ALL)).trace
    for _ in range(4):
        await client.call(remote.CONNECT_GET_TYPE)
    got = await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
    assert (len(got.packets), got.dropped) == (5, 3)


def test_a_trace_keeps_no_more_bytes_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "BYTES_MAX", 1000)
    trace = tap.Trace(0, 1 << 20)
    for _ in range(5):
        trace.note(1, True, bytes(300))
    assert trace.dropped == 2
    assert [len(packet.data) for packet in trace.take(700)] == [300, 300]
    trace.note(1, True, bytes(300))
    assert len(trace.take(1 << 20)) == 2


@pytest_twisted.ensureDeferred
async def test_what_proves_who_somebody_is_stays_in_the_daemon(watched: Watched) -> None:
    client = await watched.client()
    trace = (await watched.ask(insight.TRACE_START, ALL)).trace
    args = remote.AuthSaslStartArgs(mech="PLAIN", nil=0, data=b"\0joe\0hunter2")
    with pytest.raises(VirtError):
        await client.call(remote.AUTH_SASL_START, args)
    got = await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
    assert [len(packet.data) for packet in got.packets] == [HEADER.size] * 2


@pytest.mark.parametrize("traced", [False, True])
@pytest_twisted.ensureDeferred
async def test_streams_pass_the_same(watched: Watched, daemons: dict[str, ScriptedDaemon], traced: bool) -> None:
    client = await watched.client()
    trace = (await watched.ask(insight.TRACE_START, ALL)).trace if traced else 0
    daemons["qemu"].script.answers[remote.DOMAIN_OPEN_CONSOLE] = None
    args = remote.DomainOpenConsoleArgs(dom=DOMAIN, dev_name=None, flags=0)
    answer, stream = client.open_stream(remote.DOMAIN_OPEN_CONSOLE, args)
    await answer
    data = os.urandom(200_000)
    await stream.write(data)
    await settle(watched.proxy.reactor, 30)
    session = daemons["qemu"].script.sessions[-1]
    assert b"".join(bytes(frame.payload) for frame in session.stream_frames) == data
    session.send_stream(session.frames[-1], data[:100_000])
    assert await stream.read() == data[:100_000]
    if traced:
        got = await watched.ask(insight.TRACE_NEXT, insight.TraceNextArgs(trace))
        assert [packet.from_client for packet in got.packets if packet.data[16:20] == b"\0\0\0\3"] == [True, False]
