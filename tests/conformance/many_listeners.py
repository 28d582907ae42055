# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many clients that listen and call without a pause: ``python -m tests.conformance.many_listeners URI COUNT``.

Run in a lab by the tests of restarts. When the file "round-N" appears, every client must hear of a guest that is
defined and undefined, under the callback id it was given in the beginning; a line of JSON says how that went. The
file "end" ends it.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import react

from virtproxy.client import Client, VirtError, connect
from virtproxy.protocol import remote
from virtproxy.rpc.client import ConnectionClosed

GUEST = "<domain type='qemu'><name>{}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
PAUSE = 0.4


async def pause(reactor: Any, seconds: float) -> None:
    """Let that time pass."""
    over: Deferred[None] = Deferred()
    reactor.callLater(seconds, over.callback, None)
    await over


class Listener:
    """One client: what it heard, and how its calls ended."""

    def __init__(self, reactor: Any, client: Client) -> None:
        self.reactor = reactor
        self.client = client
        self.heard: list[tuple[int, str, int]] = []
        self.ended: Counter[str] = Counter()
        self.calls = 0
        self.closings = 0
        self.ids: set[int] = set()
        self.done = False

    async def subscribe(self) -> None:
        """Listen to guests, and to the end of the connection."""
        await self.client.subscribe(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, self._changed)
        await self.client.subscribe(remote.CONNECT_EVENT_CONNECTION_CLOSED, self._closed)

    def _changed(self, message: Any) -> None:
        self.ids.add(message.callback_id)
        self.heard.append((message.callback_id, message.msg.dom.name, message.msg.event))

    def _closed(self, message: Any) -> None:
        self.closings += 1

    async def call_on(self) -> None:
        """Call, and count what becomes of it."""
        while not self.done:
            self.calls += 1
            try:
                await self.client.call(remote.CONNECT_NUM_OF_DOMAINS)
                self.ended["answered"] += 1
            except ConnectionClosed:
                self.ended["connection lost"] += 1
                return
            except VirtError as error:
                message = str(error.message)
                known = message.startswith("internal error: lost the connection to virtqemud")
                self.ended["refused" if known else message] += 1
            await pause(self.reactor, PAUSE)


async def play(listeners: list[Listener], number: int) -> None:
    """One round: all hear of one guest."""
    reactor, name = listeners[0].reactor, f"guest{number}"
    # An answer says that the daemon is there again for this client, and so are its events.
    await gatherResults([ensureDeferred(until_answered(one)) for one in listeners])
    args = remote.DomainDefineXmlFlagsArgs(xml=GUEST.format(name), flags=0)
    domain = (await listeners[0].client.call(remote.DOMAIN_DEFINE_XML_FLAGS, args)).dom
    await listeners[0].client.call(remote.DOMAIN_UNDEFINE, remote.DomainUndefineArgs(dom=domain))
    for _ in range(200):
        if all(
            [(what, event) for _, what, event in one.heard if what == name] == [(name, 0), (name, 1)]
            for one in listeners
        ):
            break
        await pause(reactor, 0.05)
    ended: Counter[str] = Counter()
    for one in listeners:
        ended.update(one.ended)
    deaf = sum(len([what for _, what, _ in one.heard if what == name]) != 2 for one in listeners)
    owed = sum(one.calls - sum(one.ended.values()) for one in listeners)
    say(
        round=number, deaf=deaf, owed=owed, ended=ended, closings=sum(one.closings for one in listeners),
        ids_each=sorted({len(one.ids) for one in listeners}), closed=sum(one.client.closed for one in listeners),
        ids=len({number for one in listeners for number in one.ids}),
    )  # fmt: skip


async def until_answered(one: Listener) -> None:
    """Return once a call got an answer."""
    while True:
        try:
            await one.client.call(remote.CONNECT_NUM_OF_DOMAINS)
            return
        except ConnectionClosed:
            raise
        except VirtError:
            await pause(one.reactor, PAUSE)


def say(**values: Any) -> None:
    """A line of the transcript."""
    print(json.dumps(values), flush=True)


async def converse(reactor: Any, uri: str, many: str) -> None:
    """Rounds, until the end."""
    listeners = [Listener(reactor, await connect(reactor, uri)) for _ in range(int(many))]
    await gatherResults([ensureDeferred(one.subscribe()) for one in listeners])
    calling = [ensureDeferred(one.call_on()) for one in listeners]
    for number in count():
        while not Path(f"round-{number}").exists() and not Path("end").exists():
            await pause(reactor, 0.05)
        if Path("end").exists():
            break
        await play(listeners, number)
    for one in listeners:
        one.done = True
    await gatherResults(calling)
    ended: Counter[str] = Counter()
    for one in listeners:
        ended.update(one.ended)
    say(end=True, calls=sum(one.calls for one in listeners), ended=ended)
    for one in listeners:
        one.client.close()


if __name__ == "__main__":
    react(lambda reactor: ensureDeferred(converse(reactor, *sys.argv[1:])))
