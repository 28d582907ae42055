# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several clients of the test driver through real sockets: one host, and everybody hears of it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import DeferredList, ensureDeferred

from tests.support.proxy import Proxy, settle
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.locals import local_drivers
from virtproxy.driver import VirtError, remote
from virtproxy.routing.rules.readonly import ReadonlyStage
from virtproxy.rpc.client import ClientConnection

URI = "test:///default"
CONNECT_RO = 1


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on the test's reactor."""
    return pytest_twisted.blockon(ensureDeferred(work))


@pytest.fixture
def loop() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def proxy(loop: Any) -> Iterator[Proxy]:
    """A proxy with the drivers that virtproxyd has inside."""
    made = Proxy(loop, {}, local=local_drivers(ROWS["virtproxyd"]), stages=[ReadonlyStage])
    yield made
    run(made.close())


async def the_domain(client: ClientConnection) -> remote.NonnullDomain:
    """The host's only domain."""
    return (await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))).dom


async def listening(client: ClientConnection) -> list[remote.DomainEventCallbackLifecycleMsg]:
    """Register for lifecycle events and return the growing list of them."""
    heard: list[remote.DomainEventCallbackLifecycleMsg] = []
    client.on_event(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, heard.append)
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None)
    await client.call(remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, args)
    return heard


@pytest_twisted.ensureDeferred
async def test_one_client_hears_what_another_does(proxy: Proxy, loop: Any) -> None:
    watcher, actor = await proxy.client(URI), await proxy.client(URI)
    heard = await listening(watcher)
    dom = await the_domain(actor)
    await actor.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=dom))
    await actor.call(remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=dom))
    await settle(loop)
    assert [(message.msg.dom.name, message.msg.event) for message in heard] == [("test", 3), ("test", 4)]


@pytest_twisted.ensureDeferred
async def test_a_client_that_left_is_told_nothing_and_others_are(proxy: Proxy, loop: Any) -> None:
    first, second, actor = [await proxy.client(URI) for _ in range(3)]
    gone, there = await listening(first), await listening(second)
    first.abort("it leaves")
    await settle(loop)
    await actor.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=await the_domain(actor)))
    await settle(loop)
    assert (len(gone), len(there)) == (0, 1)


@pytest_twisted.ensureDeferred
async def test_the_host_is_fresh_when_everybody_has_left(proxy: Proxy, loop: Any) -> None:
    client = await proxy.client(URI)
    await client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=await the_domain(client)))
    client.abort("it leaves")
    await settle(loop)
    assert (await the_domain(await proxy.client(URI))).id == 1


@pytest_twisted.ensureDeferred
async def test_a_connection_opened_read_only_stays_so(proxy: Proxy) -> None:
    client = await proxy.client(URI, flags=CONNECT_RO)
    dom = await the_domain(client)
    with pytest.raises(VirtError, match="read only access prevents virDomainDestroy"):
        await client.call(remote.DOMAIN_DESTROY, remote.DomainDestroyArgs(dom=dom))


@pytest_twisted.ensureDeferred
async def test_an_unknown_path_cannot_be_opened(proxy: Proxy) -> None:
    with pytest.raises(VirtError, match="Failed to open file"):
        await proxy.client("test:///nowhere.xml")


@pytest_twisted.ensureDeferred
async def test_many_calls_at_once_are_all_answered(proxy: Proxy) -> None:
    client = await proxy.client(URI)
    dom = await the_domain(client)
    calls = [client.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=dom)) for _ in range(200)]
    answers = await DeferredList(calls)
    assert all(good and info.max_mem == 8388608 for good, info in answers)
