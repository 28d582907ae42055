# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client library: connect to any libvirt daemon by URI and call its procedures with typed values.

For programs on Twisted; ``virtproxy.client.aio`` is the same for asyncio. It knows URIs, opening and closing, and
leaves the packets to ``rpc``. It wraps no objects: procedures and their values are those of ``virtproxy.protocol``.

    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    from virtproxy.client import connect
    from virtproxy.protocol import remote

    async def main(reactor):
        async with connect(reactor, "qemu:///system") as client:
            name = await client.call(remote.CONNECT_GET_HOSTNAME)
            print(name.hostname)

    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""

from __future__ import annotations

from virtproxy.auth.sasl.client import Credentials
from virtproxy.client.client import CallTimeout, Client
from virtproxy.client.dial import ConnectError
from virtproxy.client.events import Subscription
from virtproxy.client.opening import Connecting, connect
from virtproxy.client.stream import Stream
from virtproxy.client.uri import UriError
from virtproxy.errors import VirtError
from virtproxy.rpc.client import ConnectionClosed
from virtproxy.rpc.streams import Hole

__all__ = [
    "CallTimeout", "Client", "ConnectError", "Connecting", "ConnectionClosed", "Credentials", "Hole", "Stream",
    "Subscription", "UriError", "VirtError", "connect",
]  # fmt: skip
