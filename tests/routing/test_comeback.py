# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that is restarted behind the proxy: its clients keep their connection, their events and their ids."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.support.proxy import Proxy, settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.comeback import Comeback
from virtproxy.routing.stages import Stage
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.frame import Frame

Daemons = dict[str, ScriptedDaemon]
TYPE = remote.ConnectGetTypeRet(type="QEMU")
REGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
LEAVE = remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY
LeaveArgs = remote.ConnectDomainEventCallbackDeregisterAnyArgs
Registered = remote.ConnectDomainEventCallbackRegisterAnyRet
EVENT = remote.DOMAIN_EVENT_CALLBACK_REBOOT
DOM = remote.NonnullDomain(name="g", uuid=bytes(16), id=1)
ANY_EVENT = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=1, dom=None)


class Restartable:
    """A scripted daemon that can be away: its socket is not there and its connections are cut."""

    def __init__(self, daemon: ScriptedDaemon, loop: Any) -> None:
        self.daemon = daemon
        self.script = daemon.script
        self.numbers = count(10)
        self._loop = loop
        self.script.answers[remote.CONNECT_GET_TYPE] = TYPE
        self.script.answers[REGISTER] = lambda args: Registered(callback_id=next(self.numbers))
        self.script.answers[LEAVE] = None

    async def leave(self) -> None:
        """Be gone."""
        os.rename(self.daemon.path, self.daemon.path + ".away")
        for session in self.script.sessions:
            session.connection.abort("stopped")
        await settle(self._loop)

    async def come_back(self, first_id: int = 0) -> None:
        """Be there again, with ids from `first_id` on."""
        self.numbers = count(first_id)
        os.rename(self.daemon.path + ".away", self.daemon.path)
        await settle(self._loop)

    @property
    def called(self) -> list[str]:
        """What was called on the newest connection, in order."""
        return [procedure.name for procedure, _ in self.script.sessions[-1].calls]

    def tell(self, number: int) -> None:
        """An event on the newest connection."""
        msg = remote.DomainEventCallbackRebootMsg(callback_id=number, msg=remote.DomainEventRebootMsg(dom=DOM))
        self.script.sessions[-1].event(EVENT, msg)


@pytest.fixture
def qemu(daemons: Daemons, loop: Any) -> Restartable:
    """The hypervisor's daemon."""
    return Restartable(daemons["qemu"], loop)


@pytest.fixture
def proxy(timed_proxy: Callable[..., Proxy]) -> Proxy:
    """Waits 30 seconds of the pretended clock for a lost daemon."""
    made = timed_proxy()
    made.router = replace(made.router, comeback=Comeback(30.0))
    return made


async def listening(client: ClientConnection) -> tuple[int, list[int]]:
    """A registered event: its id, and the ids of the events that come."""
    heard: list[int] = []
    client.on_event(EVENT, lambda message: heard.append(message.callback_id))
    return (await client.call(REGISTER, ANY_EVENT)).callback_id, heard


def closings(client: ClientConnection) -> list[int]:
    """The reasons of the close events that come."""
    told: list[int] = []
    client.on_event(remote.CONNECT_EVENT_CONNECTION_CLOSED, lambda message: told.append(message.reason))
    return told


async def pass_time(clock: Clock, loop: Any, seconds: float) -> None:
    """Let seconds pass, in small steps so that what is tried can fail or succeed."""
    for _ in range(int(seconds / 0.5)):
        clock.advance(0.5)
        await settle(loop, 1)
    await settle(loop)


@pytest_twisted.ensureDeferred
async def test_events_come_again_with_the_ids_that_the_client_knows(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system", flags=1)
    await client.call(remote.CONNECT_REGISTER_CLOSE_CALLBACK)
    told = closings(client)
    number, heard = await listening(client)
    await qemu.leave()
    await pass_time(clock, loop, 10)
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    assert qemu.called == [
        "AUTH_LIST",
        "CONNECT_OPEN",
        "CONNECT_SET_IDENTITY",
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
    ]
    assert qemu.script.sessions[-1].calls[1][1] == remote.ConnectOpenArgs(name="qemu:///system", flags=1)
    qemu.tell(0)
    await settle(loop)
    assert (number, heard, told) == (10, [10], [])
    assert proxy.router.comeback.outcomes == {("qemu", "back"): 1}
    await client.call(LEAVE, LeaveArgs(callback_id=number))
    assert qemu.script.sessions[-1].calls[-1] == (LEAVE, LeaveArgs(callback_id=0))


@pytest_twisted.ensureDeferred
async def test_calls_wait_those_on_their_way_fail_at_once(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    qemu.script.answers[remote.CONNECT_GET_HOSTNAME] = lambda args: LATER
    client = await proxy.client("qemu:///system")
    under_way = client.call(remote.CONNECT_GET_HOSTNAME)
    await settle(loop)
    await qemu.leave()
    with pytest.raises(VirtError, match="lost the connection to virtqemud"):
        await under_way
    waiting = client.call(remote.CONNECT_GET_TYPE)
    registered = client.call(REGISTER, ANY_EVENT)
    await pass_time(clock, loop, 20)
    assert not waiting.called
    assert len(qemu.script.sessions) == 1
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    assert await waiting == TYPE
    assert (await registered).callback_id == 0
    assert qemu.called.count("CONNECT_GET_HOSTNAME") == 0


@pytest_twisted.ensureDeferred
async def test_nobody_is_waited_for_where_nobody_waits(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    await qemu.leave()
    await qemu.come_back()
    await pass_time(clock, loop, 40)
    assert len(qemu.script.sessions) == 1
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_the_wait_has_an_end(qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    await client.call(remote.CONNECT_REGISTER_CLOSE_CALLBACK)
    told = closings(client)
    _, heard = await listening(client)
    await qemu.leave()
    waiting = client.call(remote.CONNECT_GET_TYPE)
    await pass_time(clock, loop, 29)
    assert (told, waiting.called) == ([], False)
    await pass_time(clock, loop, 2)
    assert told == [1]
    with pytest.raises(VirtError, match="No such file or directory"):
        await waiting
    with pytest.raises(VirtError, match="No such file or directory"):
        await client.call(remote.CONNECT_GET_TYPE)
    await qemu.come_back(first_id=3)
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    qemu.tell(3)
    await settle(loop)
    assert (told, heard) == ([1], [10])


@pytest_twisted.ensureDeferred
async def test_a_client_that_only_wants_to_be_told_is_told_only_when_it_is_over(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    await client.call(remote.CONNECT_REGISTER_CLOSE_CALLBACK)
    told = closings(client)
    await qemu.leave()
    await qemu.come_back()
    await pass_time(clock, loop, 2)
    assert (told, len(qemu.script.sessions)) == ([], 2)
    await qemu.leave()
    await pass_time(clock, loop, 31)
    assert told == [1]


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_dies_again_while_it_is_opened_is_tried_again(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    number, heard = await listening(client)
    await qemu.leave()
    qemu.script.answers[REGISTER] = lambda args: LATER
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    assert len(qemu.script.sessions) == 2
    await qemu.leave()
    qemu.script.answers[REGISTER] = lambda args: Registered(callback_id=77)
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    qemu.tell(77)
    await settle(loop)
    assert heard == [number]


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_says_nothing_is_left_in_the_end(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    await qemu.leave()
    qemu.script.answers[remote.AUTH_LIST] = lambda args: LATER
    await qemu.come_back()
    waiting = client.call(remote.CONNECT_GET_TYPE)
    await pass_time(clock, loop, 33)
    with pytest.raises(VirtError, match="it did not answer in time"):
        await waiting


@pytest_twisted.ensureDeferred
async def test_events_that_come_before_all_are_registered_are_kept(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    number, heard = await listening(client)
    second = (await client.call(REGISTER, ANY_EVENT)).callback_id
    await qemu.leave()
    asked: list[Deferred[Any]] = []

    def slowly(args: Any) -> Any:
        asked.append(Deferred())
        return Registered(callback_id=5) if len(asked) == 1 else LATER

    qemu.script.answers[REGISTER] = slowly
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    qemu.tell(5)
    await settle(loop)
    assert heard == []
    session = qemu.script.sessions[-1]
    session.connection.reply(REGISTER.reply_frame(session.frames[-1].serial, Registered(callback_id=6)))
    qemu.tell(6)
    await settle(loop)
    assert heard == [number, second]


@pytest_twisted.ensureDeferred
async def test_a_refused_registration_is_told_to_who_wants_to_be_told(
    qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    await client.call(remote.CONNECT_REGISTER_CLOSE_CALLBACK)
    told = closings(client)
    number, _ = await listening(client)
    await qemu.leave()
    waiting = client.call(remote.CONNECT_GET_TYPE)

    def refuse(args: Any) -> Any:
        raise VirtError.of(ErrorCode.NO_SUPPORT, "not any more")

    qemu.script.answers[REGISTER] = refuse
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    assert await waiting == TYPE
    assert told == [1]
    await client.call(LEAVE, LeaveArgs(callback_id=number))
    assert LEAVE.name not in qemu.called


@pytest_twisted.ensureDeferred
async def test_giving_events_up_succeeds_when_the_daemon_that_sent_them_dies(
    qemu: Restartable, proxy: Proxy, loop: Any
) -> None:
    client = await proxy.client("qemu:///system")
    number, _ = await listening(client)
    qemu.script.answers[LEAVE] = lambda args: LATER
    leaving = client.call(LEAVE, LeaveArgs(callback_id=number))
    await settle(loop)
    await qemu.leave()
    await leaving
    await qemu.come_back()
    assert len(qemu.script.sessions) == 1


@pytest_twisted.ensureDeferred
async def test_who_the_client_is_is_said_again(qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    await listening(client)
    await qemu.leave()
    params = [remote.TypedParam(field="user-name", value=remote.TypedParamValue(type=7, value="mary"))]
    await client.call(remote.CONNECT_SET_IDENTITY, remote.ConnectSetIdentityArgs(params=params, flags=0))
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    args = next(args for _, args in qemu.script.sessions[-1].calls if hasattr(args, "params"))
    assert "mary" in [param.value.value for param in args.params]


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_ends_the_waiting(qemu: Restartable, proxy: Proxy, clock: Clock, loop: Any) -> None:
    client = await proxy.client("qemu:///system")
    await listening(client)
    await qemu.leave()
    assert clock.getDelayedCalls()
    client.abort("it left")
    await settle(loop)
    assert clock.getDelayedCalls() == []
    await qemu.come_back()
    assert len(qemu.script.sessions) == 1


class OnlyOdd(Stage):
    """Lets events with odd ids pass, as the client knows them."""

    def filters_events(self) -> bool:
        return True

    def event(self, frame: Frame) -> Frame | None:
        return frame if EVENT.decode_args(frame).callback_id % 2 else None


@pytest_twisted.ensureDeferred
async def test_rules_see_events_as_the_client_would(
    qemu: Restartable, timed_proxy: Callable[..., Proxy], clock: Clock, loop: Any
) -> None:
    proxy = timed_proxy(stages=(lambda session: OnlyOdd(),))
    proxy.router = replace(proxy.router, comeback=Comeback(30.0))
    client = await proxy.client("qemu:///system")
    await listening(client)
    odd = (await client.call(REGISTER, ANY_EVENT)).callback_id
    heard: list[int] = []
    client.on_event(EVENT, lambda message: heard.append(message.callback_id))
    await qemu.leave()
    await qemu.come_back(first_id=21)
    await pass_time(clock, loop, 1.5)
    qemu.tell(21)
    qemu.tell(22)
    await settle(loop)
    assert heard == [odd] == [11]


@pytest_twisted.ensureDeferred
async def test_another_daemon_serves_on_meanwhile(
    qemu: Restartable, daemons: Daemons, proxy: Proxy, clock: Clock, loop: Any
) -> None:
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = remote.ConnectNumOfNetworksRet(num=3)
    client = await proxy.client("qemu:///system")
    await listening(client)
    await qemu.leave()
    waiting = client.call(remote.CONNECT_GET_TYPE)
    assert (await client.call(remote.CONNECT_NUM_OF_NETWORKS)).num == 3
    await qemu.come_back()
    await pass_time(clock, loop, 1.5)
    assert await waiting == TYPE
