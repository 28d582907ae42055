# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that does not answer holds up the calls to itself, and nothing else of the same client."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.routing.conftest import MakeProxy
from tests.routing.test_session import NETWORKS, TYPE, Daemons, called
from tests.support.proxy import settle
from tests.support.scripted import LATER
from virtproxy.protocol import remote
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.keepalive import PING, PONG
from virtproxy.rpc.server import WAITING_CALLS_MAX

IN_FLIGHT = 5


@pytest.fixture(autouse=True)
def answers(daemons: Daemons) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = lambda args: LATER


def stuck(client: ClientConnection, count: int) -> list[Deferred[Any]]:
    """Calls that nobody answers."""
    calls: list[Deferred[Any]] = [client.call(remote.CONNECT_NUM_OF_NETWORKS) for _ in range(count)]
    for call in calls:
        call.addErrback(lambda failure: None)
    return calls


@pytest_twisted.ensureDeferred
async def test_calls_to_another_daemon_pass_those_that_are_stuck(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    client = await make_proxy().client("qemu:///system")
    calls = stuck(client, IN_FLIGHT + WAITING_CALLS_MAX - 1)
    await settle(loop)
    assert called(daemons["network"]).count("CONNECT_NUM_OF_NETWORKS") == IN_FLIGHT
    for _ in range(20):
        assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    answers = [client.call(remote.CONNECT_GET_TYPE) for _ in range(20)]
    assert [await answer for answer in answers] == [TYPE] * 20
    assert called(daemons["network"]).count("CONNECT_NUM_OF_NETWORKS") == IN_FLIGHT
    session = daemons["network"].script.only
    session.connection.reply(remote.CONNECT_NUM_OF_NETWORKS.reply_frame(session.frames[-1].serial, NETWORKS))
    await settle(loop)
    assert called(daemons["network"]).count("CONNECT_NUM_OF_NETWORKS") == IN_FLIGHT + 1
    assert sum(call.called for call in calls) == 1


@pytest_twisted.ensureDeferred
async def test_each_daemon_has_as_many_calls_as_the_limit_says(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    client = await make_proxy().client("qemu:///system")
    stuck(client, 8)
    for _ in range(8):
        client.call(remote.CONNECT_GET_TYPE).addErrback(lambda failure: None)
    await settle(loop)
    assert called(daemons["network"]).count("CONNECT_NUM_OF_NETWORKS") == IN_FLIGHT
    assert called(daemons["qemu"]).count("CONNECT_GET_TYPE") == IN_FLIGHT


@pytest_twisted.ensureDeferred
async def test_keepalive_and_a_goodbye_are_answered_beside_stuck_calls(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    client = await make_proxy().client("qemu:///system")
    stuck(client, IN_FLIGHT + WAITING_CALLS_MAX - 2)
    heard: list[int] = []
    client._keepalive_received = lambda frame: heard.append(frame.procedure)  # type: ignore[method-assign]
    await settle(loop)
    client.send(PING)
    await client.call(remote.CONNECT_CLOSE)
    assert heard == [PONG.procedure]


@pytest_twisted.ensureDeferred
async def test_a_goodbye_is_answered_while_opening_is_stuck(daemons: Daemons, make_proxy: MakeProxy, loop: Any) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = lambda args: LATER
    client = await make_proxy().client()
    opening = client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    opening.addErrback(lambda failure: None)
    held = client.call(remote.CONNECT_GET_TYPE)
    held.addErrback(lambda failure: None)
    await settle(loop)
    assert not opening.called
    await client.call(remote.CONNECT_CLOSE)


@pytest_twisted.ensureDeferred
async def test_others_are_served_and_can_come_while_a_daemon_is_stuck(
    daemons: Daemons, make_proxy: MakeProxy, loop: Any
) -> None:
    proxy = make_proxy()
    stuck(await proxy.client("qemu:///system"), 30)
    await settle(loop)
    other = await proxy.client("qemu:///system")
    assert await other.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_before_opening_the_limit_is_one_for_all(daemons: Daemons, make_proxy: MakeProxy, loop: Any) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client()
    for call in [client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))] + [
        client.call(remote.CONNECT_GET_TYPE) for _ in range(20)
    ]:
        call.addErrback(lambda failure: None)
    await settle(loop)
    assert proxy.sessions[0].client.in_flight == IN_FLIGHT
