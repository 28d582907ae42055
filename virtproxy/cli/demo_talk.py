# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of a demonstration that virtproxy's own client library speaks.

demo calls it, once a process: it runs the reactor. It must leave the guest as it found it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from virtproxy.cli.output import CommandError, Narrator

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from virtproxy.client import Client, Subscription
    from virtproxy.protocol import remote

LIMIT = 30.0
# libvirt's virDomainEventType, what the demonstration causes.
_EVENT_NAMES = {3: "suspended", 4: "resumed"}


def talk_with_library(uris: Mapping[str, str], tell: Narrator) -> None:
    """Hold the conversation over each URI (name -> URI) and tell what happened; CommandError where one fails."""
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred

    reactor: Any = installed
    failures: list[Failure] = []
    finished: list[None] = []

    async def all_of_them() -> None:
        for name, uri in uris.items():
            tell.heading(f"The client library over {name}")
            await Deferred.fromCoroutine(_converse(reactor, uri, tell)).addTimeout(LIMIT, reactor)
        finished.append(None)

    def begin() -> None:
        talking = Deferred.fromCoroutine(all_of_them()).addErrback(failures.append)
        talking.addCallback(lambda _: reactor.stop() if reactor.running else None)

    reactor.callWhenRunning(begin)
    _run(reactor)
    if failures:
        raise CommandError(_why(failures[0].value)) from failures[0].value
    if not finished:
        raise KeyboardInterrupt


def _run(reactor: Any) -> None:
    # The reactor takes the signals while it runs, and older ones do not give them back.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    reactor.run()
    for number, action in zip(numbers, before, strict=True):
        signal.signal(number, action)


def _why(error: BaseException | None) -> str:
    from twisted.internet.defer import TimeoutError as TookTooLong

    if isinstance(error, TookTooLong):
        return f"the client library got no answer within {LIMIT:.0f} seconds"
    return f"the client library could not go on: {error}"


async def _converse(reactor: Any, uri: str, tell: Narrator) -> None:
    from virtproxy.client import connect
    from virtproxy.protocol import remote

    async with connect(reactor, uri) as client:
        host = await client.call(remote.CONNECT_GET_HOSTNAME)
        version = await client.call(remote.CONNECT_GET_LIB_VERSION)
        tell.done(f"connected to host {host.hostname}, libvirt {_dotted(version.lib_ver)}")
        wanted = remote.ConnectListAllDomainsArgs(need_results=1, flags=0)
        domains = (await client.call(remote.CONNECT_LIST_ALL_DOMAINS, wanted)).domains
        tell.done(f"domains: {', '.join(f'{domain.name} (id {domain.id})' for domain in domains)}")
        await _disturb(client, domains[0], tell)


async def _disturb(client: Client, domain: remote.NonnullDomain, tell: Narrator) -> None:
    """Suspend and resume a guest and wait for the events that say so."""
    from virtproxy.protocol import remote

    changes: Subscription[remote.DomainEventCallbackLifecycleMsg] = await client.subscribe(
        remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE
    )
    await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=domain))
    await client.call(remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=domain))
    seen = []
    async for change in changes:
        seen.append(_EVENT_NAMES.get(change.msg.event, f"event {change.msg.event}"))
        if len(seen) == 2:
            break
    tell.done(f"domain {domain.name}: suspended it, resumed it, and was told by events: {', '.join(seen)}")


def _dotted(version: int) -> str:
    # libvirt's way to put a version into a number: 9000001 is 9.0.1.
    return f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
