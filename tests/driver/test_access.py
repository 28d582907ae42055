# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules in front of somebody's own driver in this process: through a real session and socket.

The session decides, for a local driver as for another daemon; see docs/driver-sdk.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from tests.routing.rules.deciders import SlowDecider, WrittenDecider
from tests.support.proxy import Proxy, settle
from virtproxy.driver import Call, Driver, ErrorCode, EventClass, Objects, VirtError, implements, kinds, remote
from virtproxy.driver.backend import LocalBackend
from virtproxy.routing.rules.access import AccessRule
from virtproxy.rpc.client import ClientConnection


class Guest:
    def __init__(self, name: str, number: int) -> None:
        self.name, self.uuid = name, bytes([number] * 16)
        self.suspended = False

    def ref(self) -> remote.NonnullDomain:
        return remote.NonnullDomain(self.name, self.uuid, -1)


class GuestDriver(Driver):
    """Two guests, "mine" and "yours"."""

    name = "toy"
    event_classes = frozenset({EventClass.DOMAIN})

    def __init__(self) -> None:
        super().__init__()
        self.guests: Objects[Guest] = Objects(kinds.DOMAINS)
        for number, name in enumerate(("mine", "yours")):
            self.guests.add(Guest(name, number + 1))

    @implements(remote.CONNECT_GET_TYPE)
    async def type(self, call: Call, args: None) -> remote.ConnectGetTypeRet:
        return remote.ConnectGetTypeRet(type="Toy")

    @implements(remote.DOMAIN_LOOKUP_BY_NAME)
    async def by_name(self, call: Call, args: remote.DomainLookupByNameArgs) -> remote.DomainLookupByNameRet:
        guest = self.guests.by_name(args.name)
        call.authorize(guest)
        return remote.DomainLookupByNameRet(guest.ref())

    @implements(remote.DOMAIN_LOOKUP_BY_UUID)
    async def by_uuid(self, call: Call, args: remote.DomainLookupByUuidArgs) -> remote.DomainLookupByUuidRet:
        guest = self.guests.by_uuid(args.uuid)
        call.authorize(guest)
        return remote.DomainLookupByUuidRet(guest.ref())

    @implements(remote.CONNECT_LIST_ALL_DOMAINS)
    async def list_all(self, call: Call, args: remote.ConnectListAllDomainsArgs) -> remote.ConnectListAllDomainsRet:
        found = [guest.ref() for guest in call.visible(self.guests)]
        return remote.ConnectListAllDomainsRet(found, len(found))

    @implements(remote.DOMAIN_SUSPEND)
    async def suspend(self, call: Call, args: remote.DomainSuspendArgs) -> None:
        guest = self.guests.by_ref(args.dom)
        call.authorize(guest)
        guest.suspended = True
        self.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, 3, 0)


class Host:
    """A daemon with the driver and rules."""

    def __init__(self) -> None:
        self.driver = GuestDriver()
        self.proxies: list[Proxy] = []

    async def client(self, decider: WrittenDecider, *, hides: bool) -> ClientConnection:
        """A client of the driver, under the rules."""

        def opener(target: Any, flags: int, identity: Any, client: Any) -> LocalBackend:
            return LocalBackend(self.driver, client, identity, uri=target.uri, readonly=bool(flags & 1))

        stage = AccessRule(decider, hides=hides)
        self.proxies.append(Proxy(reactor, {}, local={"toy": opener}, stages=(stage,)))
        return await self.proxies[-1].client("toy:///system")


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    for proxy in made.proxies:
        pytest_twisted.blockon(ensureDeferred(proxy.close()))


async def names(client: ClientConnection) -> list[str]:
    args = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
    return [guest.name for guest in (await client.call(remote.CONNECT_LIST_ALL_DOMAINS, args)).domains]


@pytest_twisted.ensureDeferred
async def test_libvirts_own_rules_refuse_a_call_before_the_driver_and_filter_its_lists(host: Host) -> None:
    decider = SlowDecider(lambda permission, thing: thing.kind == "connect" or thing.name == "mine")
    client = await host.client(decider, hides=False)
    mine, yours = host.driver.guests
    with pytest.raises(VirtError) as caught:
        await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(yours.ref()))
    assert caught.value.code == ErrorCode.ACCESS_DENIED and not yours.suspended
    await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(mine.ref()))
    assert mine.suspended
    assert await names(client) == ["mine"]


@pytest_twisted.ensureDeferred
async def test_a_policy_hides_what_may_not_be_seen_and_its_events(host: Host) -> None:
    decider = WrittenDecider(lambda permission, thing: thing.kind == "connect" or thing.name == "mine")
    client = await host.client(decider, hides=True)
    mine, yours = host.driver.guests
    with pytest.raises(VirtError) as caught:
        await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(yours.ref()))
    assert caught.value.code == ErrorCode.NO_DOMAIN and not yours.suspended
    assert await names(client) == ["mine"]
    heard: list[str] = []
    client.on_event(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, lambda message: heard.append(message.msg.dom.name))
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None)
    await client.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args)
    for guest in (yours, mine):
        host.driver.emit(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, guest, 3, 0)
    await settle(reactor)
    assert heard == ["mine"]
