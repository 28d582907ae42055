# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many subscribers of a test driver's events: how many events a second reach them all. drivers.py uses it.

The subscribers are bare sockets, so that they cost the machine as little as they can.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from pathlib import Path
from socket import socket
from typing import TypeVar

from benchmarks.idle import idle_client
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import Struct
from virtproxy.wire.framer import Framer

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
URI = "test:///default"
WAITING_SECONDS = 30.0


def ask(client: socket, procedure: Procedure[A, R], args: A, serial: int = 9) -> R:
    """Make one call and return its result, whatever else comes before."""
    client.sendall(procedure.call_frame(serial, args).raw)
    framer = Framer()
    while True:
        for frame in framer.feed(client.recv(65536)):
            if frame.serial == serial and frame.procedure == procedure.number:
                return procedure.decode_ret(frame)


def events_per_second(path: Path, subscribers: int, rounds: int) -> float:
    """Events that arrive a second, all subscribers together, when one guest is suspended and resumed `rounds` times."""
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        wish = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None)
        for _ in range(subscribers):
            client = stack.enter_context(idle_client(path, URI))
            ask(client, remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, wish)
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ, Framer())
        actor = stack.enter_context(idle_client(path, URI))
        found = ask(actor, remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))
        begin = time.perf_counter()
        for _ in range(rounds):
            ask(actor, remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=found.dom))
            ask(actor, remote.DOMAIN_RESUME, remote.DomainResumeArgs(dom=found.dom))
            _receive(selector, 2 * subscribers)
        return 2 * rounds * subscribers / (time.perf_counter() - begin)


def _receive(selector: selectors.BaseSelector, missing: int) -> None:
    while missing > 0:
        ready = selector.select(WAITING_SECONDS)
        if not ready:
            raise SystemExit(f"{missing} events did not come")
        for key, _ in ready:
            client, framer = key.fileobj, key.data
            assert isinstance(client, socket)
            missing -= len(framer.feed(client.recv(65536)))
