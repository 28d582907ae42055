# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many clients that listen and call without a pause: ``python -m tests.conformance.many_listeners URI COUNT [again]``.

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
    """One client: what it heard, and how its calls ended. With `again` it connects anew when it was cut off."""

    def __init__(self, reactor: Any, uri: str, again: bool) -> None:
        self.reactor = reactor
        self.uri = uri
        self.again = again
        self.client: Client
        self.heard: list[tuple[int, str, int]] = []
        self.ended: Counter[str] = Counter()
        self.calls = 0
        self.closings = 0
        self.ids: set[int] = set()
        self.done = False

    async def open(self) -> None:
        """Connect, and listen to guests and to the end of the connection."""
        client = await connect(self.reactor, self.uri)
        await client.subscribe(remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE, self._changed)
        await client.subscribe(remote.CONNECT_EVENT_CONNECTION_CLOSED, self._closed)
        self.client = client

    def _changed(self, message: Any) -> None:
        self.ids.add(message.callback_id)
        self.heard.append((message.callback_id, message.msg.dom.name, message.msg.event))

    def _closed(self, message: Any) -> None:
        self.closings += 1

    async def call_on(self) -> None:
        """Call, and count what becomes of it."""
        while not self.done:
            if self.again and self.client.closed:
                await self._open_again()
            self.calls += 1
            try:
                await self.client.call(remote.CONNECT_NUM_OF_DOMAINS)
                self.ended["answered"] += 1
            except ConnectionClosed:
                self.ended["cut off"] += 1
                if not self.again:
                    return
            except VirtError as error:
                self.ended[kind_of(str(error.message))] += 1
            await pause(self.reactor, PAUSE)

    async def _open_again(self) -> None:
        """Connect anew; who was let in just before the end is refused, and tries once more."""
        while True:
            try:
                await self.open()
                return
            except VirtError as error:
                self.ended[
                    f"opening {'cut off' if isinstance(error, ConnectionClosed) else kind_of(str(error.message))}"
                ] += 1
                self.calls += 1


def kind_of(message: str) -> str:
    """ "refused" for an error that says what became of the call; else the error itself."""
    clear = (
        "internal error: lost the connection to virtqemud",
        "internal error: the daemon is stopping: the call was not made",
        "internal error: the daemon stopped before the call was answered; it may still take effect",
    )
    return "refused" if message.startswith(clear) else message


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
        except VirtError as error:
            if isinstance(error, ConnectionClosed) and not one.again:
                raise
            await pause(one.reactor, PAUSE)


def say(**values: Any) -> None:
    """A line of the transcript."""
    print(json.dumps(values), flush=True)


async def converse(reactor: Any, uri: str, many: str, again: str = "") -> None:
    """Rounds, until the end."""
    listeners = [Listener(reactor, uri, bool(again)) for _ in range(int(many))]
    for one in listeners:
        await one.open()
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
