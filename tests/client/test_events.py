# SPDX-License-Identifier: LGPL-2.1-or-later
"""Subscriptions with a scripted daemon: what is registered, who is told, how it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from tests.support.scripted import ScriptedDaemon
from virtproxy.client import Client, ConnectionClosed, Subscription, VirtError, connect, events
from virtproxy.client.events import registration_of
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.schema import Procedure

DOMAIN = remote.NonnullDomain(name="guest", uuid=bytes(16), id=1)
NETWORK = remote.NonnullNetwork(name="net", uuid=bytes(16))
LIFECYCLE = remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE


@pytest_twisted.async_yield_fixture
async def client(scripted: ScriptedDaemon, reactor: Any) -> AsyncIterator[Client]:
    numbers = iter(range(7, 100))
    answers = scripted.script.answers
    answers[remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY] = lambda args: (
        remote.ConnectDomainEventCallbackRegisterAnyRet(callback_id=next(numbers))
    )
    answers[remote.CONNECT_NETWORK_EVENT_REGISTER_ANY] = lambda args: remote.ConnectNetworkEventRegisterAnyRet(
        callback_id=next(numbers)
    )
    answers[qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER] = lambda args: qemu.ConnectDomainMonitorEventRegisterRet(
        callback_id=next(numbers)
    )
    for procedure in (
        remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
        remote.CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
        qemu.CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
        remote.CONNECT_REGISTER_CLOSE_CALLBACK,
        remote.CONNECT_UNREGISTER_CLOSE_CALLBACK,
    ):
        answers[procedure] = None
    async with connect(reactor, scripted.uri()) as made:
        yield made


def lifecycle(callback_id: int, event: int) -> remote.DomainEventCallbackLifecycleMsg:
    message = remote.DomainEventLifecycleMsg(dom=DOMAIN, event=event, detail=0)
    return remote.DomainEventCallbackLifecycleMsg(callback_id=callback_id, msg=message)


def last_call(scripted: ScriptedDaemon) -> tuple[Procedure[Any, Any], Any]:
    return scripted.script.only.calls[-1]


@pytest_twisted.ensureDeferred
async def test_each_subscription_gets_its_own_messages(scripted: ScriptedDaemon, client: Client) -> None:
    told: list[Any] = []
    everything = await client.subscribe(LIFECYCLE)
    await client.subscribe(LIFECYCLE, told.append, about=DOMAIN)
    register = remote.ConnectDomainEventCallbackRegisterAnyArgs
    assert [args for _, args in scripted.script.only.calls[-2:]] == [
        register(event_id=0, dom=None), register(event_id=0, dom=DOMAIN)
    ]  # fmt: skip
    session = scripted.script.only
    session.event(LIFECYCLE, lifecycle(7, 1))
    session.event(LIFECYCLE, lifecycle(8, 2))
    session.event(LIFECYCLE, lifecycle(99, 3))
    session.event(LIFECYCLE, lifecycle(7, 4))
    assert [(await anext(everything)).msg.event for _ in range(2)] == [1, 4]
    assert told == [lifecycle(8, 2)]


@pytest_twisted.ensureDeferred
async def test_other_families_register_their_own_way(scripted: ScriptedDaemon, client: Client) -> None:
    told: list[Any] = []
    await client.subscribe(remote.NETWORK_EVENT_LIFECYCLE, told.append, about=NETWORK)
    assert last_call(scripted) == (
        remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
        remote.ConnectNetworkEventRegisterAnyArgs(event_id=0, net=NETWORK),
    )
    await client.subscribe(qemu.DOMAIN_MONITOR_EVENT, told.append, about=DOMAIN)
    assert last_call(scripted) == (
        qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
        qemu.ConnectDomainMonitorEventRegisterArgs(dom=DOMAIN, event=None, flags=0),
    )
    closed = await client.subscribe(remote.CONNECT_EVENT_CONNECTION_CLOSED)
    assert last_call(scripted) == (remote.CONNECT_REGISTER_CLOSE_CALLBACK, None)
    network = remote.NetworkEventLifecycleMsg(callback_id=7, net=NETWORK, event=2, detail=0)
    scripted.script.only.event(remote.NETWORK_EVENT_LIFECYCLE, network)
    gone = remote.ConnectEventConnectionClosedMsg(reason=1)
    scripted.script.only.event(remote.CONNECT_EVENT_CONNECTION_CLOSED, gone)
    assert await anext(closed) == gone
    assert told == [network]
    await closed.unsubscribe()
    assert last_call(scripted) == (remote.CONNECT_UNREGISTER_CLOSE_CALLBACK, None)


def test_every_event_with_a_callback_id_can_be_subscribed_to() -> None:
    for messages in remote.EVENTS.values():
        registration = registration_of(messages.modern)
        assert registration.register.edge == "event-register"
        assert registration.deregister.edge == "event-deregister"
        assert registration.arguments(None) is not None
    with pytest.raises(VirtError, match="CONNECT_CLOSE is not an event"):
        registration_of(remote.CONNECT_CLOSE)


@pytest_twisted.ensureDeferred
async def test_unsubscribing_ends_the_loop(scripted: ScriptedDaemon, client: Client) -> None:
    changes = await client.subscribe(LIFECYCLE)
    scripted.script.only.event(LIFECYCLE, lifecycle(7, 1))
    seen = []
    async for change in changes:
        seen.append(change.msg.event)
        await changes.unsubscribe()
        await changes.unsubscribe()
    assert seen == [1]
    assert last_call(scripted) == (
        remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
        remote.ConnectDomainEventCallbackDeregisterAnyArgs(callback_id=7),
    )
    names = [procedure.name for procedure, _ in scripted.script.only.calls]
    assert names.count("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY") == 1


@pytest_twisted.ensureDeferred
async def test_a_waiting_loop_ends_with_the_connection(scripted: ScriptedDaemon, client: Client) -> None:
    changes = await client.subscribe(LIFECYCLE)

    async def wait() -> None:
        await anext(changes)

    waiting = ensureDeferred(wait())
    with pytest.raises(RuntimeError, match="one reader"):
        await anext(changes)
    scripted.transports[0].abortConnection()
    with pytest.raises(ConnectionClosed):
        await waiting
    with pytest.raises(ConnectionClosed):
        await anext(changes)
    await changes.unsubscribe()


@pytest_twisted.ensureDeferred
async def test_what_nobody_reads_is_bounded(
    scripted: ScriptedDaemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "UNREAD_MAX", 3)
    changes: Subscription[Any] = await client.subscribe(LIFECYCLE)
    for number in range(5):
        scripted.script.only.event(LIFECYCLE, lifecycle(7, number))
    scripted.script.answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="T")
    await client.call(remote.CONNECT_GET_TYPE)
    assert [(await anext(changes)).msg.event for _ in range(3)] == [0, 1, 2]
    with pytest.raises(VirtError, match="3 messages of DOMAIN_EVENT_CALLBACK_LIFECYCLE were not read"):
        await anext(changes)


@pytest_twisted.ensureDeferred
async def test_messages_go_to_the_callback_or_the_loop(client: Client) -> None:
    changes = await client.subscribe(LIFECYCLE, lambda message: None)
    with pytest.raises(RuntimeError, match="has a callback"):
        await anext(changes)
