# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client library for asyncio: the same client, whose results are Futures.

Needs Twisted's asyncio reactor on the loop that runs the tasks:

    import asyncio
    from twisted.internet import asyncioreactor

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor

    from virtproxy.client import aio
    from virtproxy.protocol import remote

    async def main():
        async with aio.connect(reactor, "qemu:///system") as client:
            print((await client.call(remote.CONNECT_GET_HOSTNAME)).hostname)

    reactor.startRunning()
    loop.run_until_complete(main())
"""

from __future__ import annotations

from virtproxy.auth.sasl.client import Credentials
from virtproxy.client.adoption import for_asyncio
from virtproxy.client.client import Client
from virtproxy.client.dial import Reactor
from virtproxy.client.events import Subscription
from virtproxy.client.opening import CONNECT_SECONDS, Connecting, Wishes
from virtproxy.client.stream import Stream

__all__ = ["Client", "Stream", "Subscription", "connect"]


def connect(
    reactor: Reactor,
    uri: str,
    *,
    readonly: bool = False,
    timeout: float | None = CONNECT_SECONDS,
    keepalive_interval: float = 5.0,
    keepalive_count: int = 5,
    credentials: Credentials | None = None,
) -> Connecting:
    """Connect to the daemon that serves ``uri``; arguments and errors are those of ``virtproxy.client.connect``."""
    wishes = Wishes(readonly, timeout, keepalive_interval, keepalive_count, credentials)
    return Connecting(reactor, uri, wishes, for_asyncio)
