# SPDX-License-Identifier: LGPL-2.1-or-later
"""The poller serves transports in the reactor's place, and keeps one broken connection to itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.python.failure import Failure

from tests.support.proxy import settle
from virtproxy.rpc.poller import CALM_EVENTS, Poller
from virtproxy.rpc.transport import SocketTransport


class Echo:
    """Sends back what comes; "break" raises."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.transport: Any = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        if data == b"break":
            raise ZeroDivisionError("a bug")
        self.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason.getErrorMessage())


class Place:
    """A poller with echoes on socket pairs."""

    def __init__(self, reactor: Any, busy_poll_us: int = 0) -> None:
        self.reactor = reactor
        self.poller = Poller(reactor, busy_poll_us)
        self.echoes: list[Echo] = []
        self.peers: list[socket.socket] = []

    def pair(self) -> tuple[socket.socket, Echo]:
        """A new connection: our end, and the echo on the other."""
        ours, theirs = socket.socketpair()
        echo = Echo()
        SocketTransport(self.poller, theirs, echo).start()
        self.echoes.append(echo)
        self.peers.append(ours)
        return ours, echo

    def close(self) -> None:
        """End everything that is left."""
        for echo in self.echoes:
            if not echo.lost:
                echo.transport.connectionLost(Failure(ConnectionAbortedError("the test is over")))
        for peer in self.peers:
            peer.close()
        self.poller.close()


@pytest.fixture(params=[0, 50], ids=["sleeping", "watching"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    from twisted.internet import reactor

    made = Place(reactor, request.param)
    yield made
    made.close()


@pytest_twisted.ensureDeferred
async def test_many_conversations_at_once(place: Place) -> None:
    pairs = [place.pair() for _ in range(5)]
    for turn in range(2 * CALM_EVENTS):
        for number, (ours, _) in enumerate(pairs):
            ours.send(b"%d %d" % (turn, number))
        await settle(place.reactor, 1)
        for number, (ours, _) in enumerate(pairs):
            assert ours.recv(100, socket.MSG_DONTWAIT) == b"%d %d" % (turn, number)


@pytest_twisted.ensureDeferred
async def test_a_single_conversation(place: Place) -> None:
    ours, _ = place.pair()
    for turn in range(3 * CALM_EVENTS):
        ours.send(b"%d" % turn)
        await settle(place.reactor, 1)
        assert ours.recv(100, socket.MSG_DONTWAIT) == b"%d" % turn


@pytest_twisted.ensureDeferred
async def test_a_bug_ends_one_connection_only(place: Place, flush_errors: Any) -> None:
    broken, echo = place.pair()
    other, _ = place.pair()
    broken.send(b"break")
    await settle(place.reactor)
    assert len(echo.lost) == 1 and "internal error" in echo.lost[0]
    assert len(flush_errors(ZeroDivisionError)) == 1
    other.send(b"still there")
    await settle(place.reactor)
    assert other.recv(100, socket.MSG_DONTWAIT) == b"still there"


@pytest_twisted.ensureDeferred
async def test_a_peer_that_leaves_is_noticed_and_forgotten(place: Place) -> None:
    before = len(os.listdir("/proc/self/fd"))
    ours, echo = place.pair()
    ours.close()
    await settle(place.reactor)
    assert len(echo.lost) == 1
    assert len(os.listdir("/proc/self/fd")) == before
    assert not place.poller._transports


@pytest_twisted.ensureDeferred
async def test_what_does_not_fit_is_written_later(place: Place) -> None:
    ours, echo = place.pair()
    echo.transport.write(bytes(5_000_000))
    got = 0
    while got < 5_000_000:
        await settle(place.reactor, 1)
        try:
            got += len(ours.recv(1_000_000, socket.MSG_DONTWAIT))
        except BlockingIOError:
            continue
    assert echo.transport.queued == 0
