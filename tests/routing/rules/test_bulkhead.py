# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bulkheads: a daemon has so many calls of all clients and no more, and who leaves gives its places back."""

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
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.rules.bulkhead import WAITING_SECONDS, BulkheadRule
from virtproxy.routing.rules.deadline import DeadlineRule
from virtproxy.rpc.client import ClientConnection

TimedProxy = Callable[..., Proxy]
CAPABILITIES = remote.CONNECT_GET_CAPABILITIES
ANSWER = remote.ConnectGetCapabilitiesRet(capabilities="<capabilities/>")


@pytest.fixture(autouse=True)
def answers(daemons: Daemons) -> None:
    answers = daemons["qemu"].script.answers
    answers[remote.CONNECT_GET_TYPE] = TYPE
    answers[CAPABILITIES] = lambda args: LATER
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = NETWORKS


def asked(daemons: Daemons) -> int:
    return called(daemons["qemu"]).count(CAPABILITIES.name)


def answer_one(daemons: Daemons) -> None:
    """The daemon answers the first call that it owes."""
    for session in daemons["qemu"].script.sessions:
        for frame in [frame for frame in session.frames if frame.procedure == CAPABILITIES.number]:
            session.frames.remove(frame)
            session.connection.reply(CAPABILITIES.reply_frame(frame.serial, ANSWER))
            return


def ask(client: ClientConnection, count: int) -> list[Deferred[Any]]:
    calls: list[Deferred[Any]] = [client.call(CAPABILITIES) for _ in range(count)]
    for call in calls:
        call.addErrback(lambda failure: failure.value)
    return calls


@pytest_twisted.ensureDeferred
async def test_over_all_clients_a_daemon_has_so_many_calls(
    daemons: Daemons, timed_proxy: TimedProxy, loop: Any
) -> None:
    proxy = timed_proxy(stages=[BulkheadRule(3)])
    one, other = [await proxy.client("qemu:///system") for _ in range(2)]
    first, second = ask(one, 2), ask(other, 2)
    await settle(loop)
    assert asked(daemons) == 3
    answer_one(daemons)
    await settle(loop)
    assert asked(daemons) == 4
    for _ in range(3):
        answer_one(daemons)
    assert [await call for call in first + second] == [ANSWER] * 4


@pytest_twisted.ensureDeferred
async def test_who_waits_too_long_is_told_which_daemon_is_busy(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    proxy = timed_proxy(stages=[BulkheadRule(1)])
    client = await proxy.client("qemu:///system")
    _, waiting = ask(client, 2)
    await settle(loop)
    clock.advance(WAITING_SECONDS)
    error = await waiting
    assert isinstance(error, VirtError)
    assert error.code == ErrorCode.RESOURCE_BUSY
    assert "virtqemud has 1 calls to answer (max_backend_requests)" in str(error.message)
    answer_one(daemons)
    await settle(loop)
    (last,) = ask(client, 1)
    await settle(loop)
    answer_one(daemons)
    assert await last == ANSWER


@pytest_twisted.ensureDeferred
async def test_other_daemons_and_calls_of_high_priority_pass(
    daemons: Daemons, timed_proxy: TimedProxy, loop: Any
) -> None:
    proxy = timed_proxy(stages=[BulkheadRule(1)])
    client = await proxy.client("qemu:///system")
    stuck = ask(client, 3)
    await settle(loop)
    assert await client.call(remote.CONNECT_NUM_OF_NETWORKS) == NETWORKS
    assert remote.CONNECT_GET_TYPE.high_priority
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert not any(call.called for call in stuck)


@pytest_twisted.ensureDeferred
async def test_who_leaves_gives_its_places_back_and_waits_no_more(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    proxy = timed_proxy(stages=[BulkheadRule(2)])
    one, other = [await proxy.client("qemu:///system") for _ in range(2)]
    ask(one, 4)
    await settle(loop)
    calls = ask(other, 2)
    await settle(loop)
    assert asked(daemons) == 2
    one.abort("it leaves")
    await settle(loop)
    assert asked(daemons) == 4
    daemons["qemu"].script.sessions.pop(0)
    answer_one(daemons)
    answer_one(daemons)
    assert [await call for call in calls] == [ANSWER] * 2
    compartment = proxy._stages[0].compartment("qemu")  # type: ignore[attr-defined]
    assert (compartment._taken, len(compartment._waiting)) == (0, 0)


@pytest_twisted.ensureDeferred
async def test_a_late_call_keeps_its_place_until_its_daemon_has_answered(
    daemons: Daemons, timed_proxy: TimedProxy, clock: Clock, loop: Any
) -> None:
    rule = BulkheadRule(1)
    proxy = timed_proxy(stages=[DeadlineRule({CAPABILITIES: 2}, 5), rule])
    client = await proxy.client("qemu:///system")
    first, second = ask(client, 2)
    await settle(loop)
    clock.advance(2)
    assert "did not answer CONNECT_GET_CAPABILITIES within 2 s" in str(await first)
    assert "was not let through within 2 s" in str(await second)
    assert rule.compartment("qemu")._taken == 1
    answer_one(daemons)
    await settle(loop)
    assert asked(daemons) == 1
    assert rule.compartment("qemu")._taken == 0


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_dies_gives_every_place_back(daemons: Daemons, timed_proxy: TimedProxy, loop: Any) -> None:
    rule = BulkheadRule(2)
    client = await timed_proxy(stages=[rule]).client("qemu:///system")
    calls = ask(client, 2)
    await settle(loop)
    daemons["qemu"].transports[0].abortConnection()
    for call in calls:
        assert "lost the connection to virtqemud" in str(await call)
    assert rule.compartment("qemu")._taken == 0
