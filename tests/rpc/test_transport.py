# SPDX-License-Identifier: LGPL-2.1-or-later
"""SocketTransport on real sockets, with the test's own hand on the other end."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from virtproxy.rpc.poller import Poller
from virtproxy.rpc.transport import HIGH_WATER, LINGER_SECONDS, LOW_WATER, UNREAD_MAX, SocketTransport


class Far:
    """A protocol that notes what its transport says."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = bytearray()
        self.fds: list[int] = []
        self.order: list[str] = []
        self.flow: list[str] = []
        self.reasons: list[Failure] = []
        self.gone: Deferred[None] = Deferred()

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        self.order.append(f"{len(data)} bytes")

    def fdsReceived(self, fds: Iterable[int]) -> None:
        self.fds.extend(fds)
        self.order.append("fds")

    def heard(self) -> bool:
        return bool(self.data)

    def connectionLost(self, reason: Failure) -> None:
        self.reasons.append(reason)
        self.gone.callback(None)

    def pauseProducing(self) -> None:
        self.flow.append("pause")

    def resumeProducing(self) -> None:
        self.flow.append("resume")

    def stopProducing(self) -> None:
        self.flow.append("stop")


class ClockedReactor(Clock):
    """A clock with the descriptors of a reactor, which the test serves by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


@pytest.fixture(params=["reactor", "poller"])
def reactor(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Twisted's reactor, bare and with the poller in it."""
    from twisted.internet import reactor as installed

    if request.param == "reactor":
        yield installed
        return
    poller = Poller(installed)
    yield poller
    poller.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    yield ours, theirs
    ours.close()
    theirs.close()


async def until(condition: Callable[[], object]) -> None:
    """Let the reactor turn until the condition holds (the test's time limit ends it otherwise)."""
    from twisted.internet import reactor as installed

    clock: Any = installed
    while not condition():
        await deferLater(clock, 0.001)


def started(reactor: Any, sock: socket.socket) -> tuple[Far, SocketTransport]:
    far = Far()
    transport = SocketTransport(reactor, sock, far)
    transport.start()
    return far, transport


@pytest_twisted.ensureDeferred
async def test_it_writes_at_once(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(reactor, pair[0])
    transport.write(b"now")
    assert pair[1].recv(10) == b"now"
    transport.writeSequence([b"and ", b"then"])
    assert pair[1].recv(10) == b"and then"
    transport.abortConnection()
    await far.gone


@pytest_twisted.ensureDeferred
async def test_it_reads_and_tells_the_end_once(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(reactor, pair[0])
    pair[1].sendall(b"x" * 5000)
    await until(lambda: len(far.data) == 5000)
    pair[1].close()
    await far.gone
    assert len(far.reasons) == 1
    assert transport.fileno() == -1
    transport.write(b"into the void")
    transport.loseConnection()
    transport.abortConnection()
    assert len(far.reasons) == 1


@pytest_twisted.ensureDeferred
async def test_what_the_kernel_does_not_take_waits_and_pauses_the_producer(
    reactor: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    far, transport = started(reactor, pair[0])
    sent = bytes(range(256)) * 4096 * 6
    for start in range(0, len(sent), 100_000):
        transport.write(sent[start : start + 100_000])
    assert transport.queued > HIGH_WATER
    assert far.flow == ["pause"]
    received = bytearray()
    pair[1].setblocking(False)

    def drained() -> bool:
        with contextlib.suppress(BlockingIOError):
            received.extend(pair[1].recv(300_000))
        if far.flow[-1] == "resume":
            assert transport.queued < LOW_WATER
        return len(received) == len(sent)

    await until(drained)
    assert received == sent
    assert far.flow == ["pause", "resume"]
    transport.abortConnection()
    await far.gone


@pytest_twisted.ensureDeferred
async def test_paused_it_does_not_read(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(reactor, pair[0])
    transport.pauseProducing()
    pair[1].sendall(b"wait")
    for _ in range(5):
        await until(lambda: True)
    assert not far.data
    transport.resumeProducing()
    await until(lambda: far.data == b"wait")
    transport.abortConnection()
    await far.gone


@pytest_twisted.ensureDeferred
async def test_descriptors_go_after_the_packet_each_on_a_zero_byte(
    reactor: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    far, transport = started(reactor, pair[0])
    reader, writer = os.pipe()
    transport.write_with_fds(b"packet", [os.dup(writer), os.dup(reader)])
    assert pair[1].recv(6) == b"packet"
    arrived: list[int] = []
    for _ in range(2):
        data, fds, _, _ = socket.recv_fds(pair[1], 100, 4)
        assert (data, len(fds)) == (b"\0", 1)
        arrived += fds
    os.write(arrived[0], b"through")
    assert os.read(arrived[1], 10) == b"through"
    for fd in (reader, writer, *arrived):
        os.close(fd)
    transport.abortConnection()
    await far.gone


@pytest_twisted.ensureDeferred
async def test_descriptors_keep_their_place_in_the_queue(
    reactor: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    far, transport = started(reactor, pair[0])
    near, peer = started(reactor, pair[1])
    peer.pauseProducing()
    reader, writer = os.pipe()
    transport.write(b"a" * 2_000_000)
    transport.write_with_fds(b"b" * 10, [writer])
    transport.write(b"c" * 10)
    peer.resumeProducing()
    await until(lambda: len(near.data) == 2_000_021)
    assert near.data[-21:] == b"b" * 10 + b"\0" + b"c" * 10
    assert len(near.fds) == 1
    os.write(near.fds[0], b"x")
    for fd in (reader, near.fds[0]):
        os.close(fd)
    with pytest.raises(OSError):
        os.fstat(writer)
    transport.abortConnection()
    await far.gone
    await near.gone


@pytest_twisted.ensureDeferred
async def test_descriptors_arrive_before_their_bytes(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(reactor, pair[0])
    reader, writer = os.pipe()
    pair[1].sendall(b"packet")
    socket.send_fds(pair[1], [b"\0"], [reader, writer])
    await until(lambda: len(far.data) == 7)
    assert len(far.fds) == 2
    assert far.order[-2:] == ["fds", "1 bytes"] or far.order == ["fds", "7 bytes"]
    for fd in (reader, writer, *far.fds):
        os.close(fd)
    transport.abortConnection()
    await far.gone


@pytest_twisted.ensureDeferred
async def test_too_many_descriptors_at_once_end_the_connection_and_leave_none(
    reactor: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    far, _ = started(reactor, pair[0])
    fds = array.array("i", [0] * 60)
    before = len(os.listdir("/proc/self/fd"))
    pair[1].sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    await far.gone
    assert not far.fds
    # The transport's own socket is closed too.
    assert len(os.listdir("/proc/self/fd")) == before - 1


@pytest_twisted.ensureDeferred
async def test_close_waits_for_what_is_queued(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(reactor, pair[0])
    transport.write(b"z" * 3_000_000)
    transport.loseConnection()
    transport.write(b"too late")
    received = bytearray()
    pair[1].setblocking(False)

    def ended() -> bool:
        try:
            data = pair[1].recv(1_000_000)
        except BlockingIOError:
            return False
        received.extend(data)
        return not data

    await until(ended)
    assert received == b"z" * 3_000_000
    await far.gone


def test_a_peer_that_never_reads_is_closed_after_a_while(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor = ClockedReactor()
    far, transport = started(reactor, pair[0])
    transport.write(b"z" * 3_000_000)
    transport.loseConnection()
    reactor.advance(LINGER_SECONDS - 0.1)
    assert not far.reasons
    reactor.advance(0.1)
    reactor.advance(0)
    assert len(far.reasons) == 1
    assert not reactor.getDelayedCalls()
    assert not reactor.readers
    assert not reactor.writers
    far.gone.addCallback(lambda _: None)


def test_close_without_a_queue_is_told_in_the_next_turn(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor = ClockedReactor()
    far, transport = started(reactor, pair[0])
    transport.loseConnection()
    assert not far.reasons
    reactor.advance(0)
    assert len(far.reasons) == 1
    assert not reactor.getDelayedCalls()


def test_abort_drops_the_queue_and_closes_its_descriptors(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor = ClockedReactor()
    far, transport = started(reactor, pair[0])
    reader, writer = os.pipe()
    transport.write(b"z" * 3_000_000)
    transport.write_with_fds(b"with", [reader, writer])
    transport.abortConnection()
    for fd in (reader, writer):
        with pytest.raises(OSError):
            os.fstat(fd)
    assert transport.queued == 0
    reactor.advance(0)
    assert len(far.reasons) == 1
    reader, writer = os.pipe()
    transport.write_with_fds(b"late", [reader, writer])
    with pytest.raises(OSError):
        os.fstat(reader)


def test_a_peer_that_leaves_too_much_unread_is_cut_off(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor = ClockedReactor()
    far, transport = started(reactor, pair[0])
    piece = bytes(16 * 1024 * 1024)
    for _ in range(UNREAD_MAX // len(piece) + 1):
        assert not transport.disconnecting
        transport.write(piece)
    assert transport.disconnecting
    assert transport.queued == 0
    reactor.advance(0)
    assert "bytes unread" in far.reasons[0].getErrorMessage()


def test_a_write_to_a_closed_peer_is_told_in_the_next_turn(pair: tuple[socket.socket, socket.socket]) -> None:
    reactor = ClockedReactor()
    far, transport = started(reactor, pair[0])
    pair[1].close()
    transport.write(b"hello?")
    transport.write(b"hello??")
    assert not far.reasons
    reactor.advance(0)
    assert "Broken pipe" in far.reasons[0].getErrorMessage()


def test_it_takes_one_producer_that_pushes(pair: tuple[socket.socket, socket.socket]) -> None:
    far, transport = started(ClockedReactor(), pair[0])
    with pytest.raises(RuntimeError, match="one producer"):
        transport.registerProducer(far, True)  # type: ignore[arg-type]
    transport.unregisterProducer()
    with pytest.raises(ValueError, match="streaming"):
        transport.registerProducer(far, False)  # type: ignore[arg-type]


@pytest_twisted.ensureDeferred
async def test_a_reused_descriptor_number_is_served(reactor: Any) -> None:
    for _ in range(3):
        ours, theirs = socket.socketpair()
        far, _transport = started(reactor, ours)
        number = ours.fileno()
        theirs.sendall(b"x")
        await until(far.heard)
        theirs.close()
        await far.gone
        probe = os.dup(0)
        assert probe <= number
        os.close(probe)
