# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connected stream socket as a Twisted transport that writes at once and passes descriptors.

The acceptor and `connect_unix` make them; a connection (or Twisted's TLS wrapper) is the protocol
on top. Nothing else in the library reads from or writes to a connected socket.

Why not Twisted's own: its `write` always waits for the next turn of the loop, which costs a relay
one turn a hop, and its `sendFileDescriptor` sends a descriptor with the first payload byte, where
libvirt expects it on one zero byte after the packet.
"""

from __future__ import annotations

import array
import os
import socket
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, cast

from twisted.internet import error, main
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress, IConsumer, IDelayedCall, IProducer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

from virtproxy.rpc.reactor import StreamReactor
from virtproxy.wire.limits import FDS_MAX

READ_SIZE = 65536
READ_SIZE_LARGE = 256 * 1024
# Whoever sends this much at once is not in a conversation of short questions and answers.
BULK = 4096
# libvirt sends the odd end of each block of a volume as a small packet: one of them ends nothing.
SMALL_READS = 8
# Above the high mark the producer is paused, below the low mark it goes on.
HIGH_WATER = 1024 * 1024
LOW_WATER = 128 * 1024
# What may wait for a peer that reads nothing. Backpressure keeps a connection far below; events of a
# local driver have no producer to pause, and end here.
UNREAD_MAX = 128 * 1024 * 1024
# Far below the 1,024 pieces that the kernel takes at a time.
PIECES_AT_ONCE = 256
# Smaller pieces are kept together: one by one they would take several times the room.
CRUMB = 4096
# How long a closing connection may take to swallow what is queued for it.
LINGER_SECONDS = 10.0
_FD_SPACE = socket.CMSG_SPACE(FDS_MAX * array.array("i").itemsize)
_WOULD_BLOCK = (BlockingIOError, InterruptedError)


class StreamProtocol(Protocol):
    """What a transport calls. `fdsReceived` may be absent: descriptors are then closed."""

    def makeConnection(self, transport: Any) -> None: ...
    def dataReceived(self, data: bytes) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


@implementer(ITransport, IConsumer)
class SocketTransport:
    """Reads, writes and closes one non-blocking socket, which it owns."""

    disconnecting = False
    disconnected = False
    bulk = False

    def __init__(self, reactor: StreamReactor, sock: socket.socket, protocol: StreamProtocol) -> None:
        sock.setblocking(False)
        self._reactor = reactor
        self._sock = sock
        self._protocol = protocol
        self._fd = sock.fileno()
        self._passes_fds = sock.family == socket.AF_UNIX
        self._read_size = READ_SIZE
        self._small_reads = 0
        # What is still to be written: bytes, or a descriptor (owned) to go on a zero byte.
        self._queue: deque[memoryview | bytearray | int] = deque()
        self._queued = 0
        self._error: Exception | None = None
        self._reading = False
        self._producer: IPushProducer | None = None
        self._producer_paused = False
        self._linger: IDelayedCall | None = None

    def start(self) -> None:
        """Connect the protocol and begin to read."""
        self._protocol.makeConnection(self)
        if not self.disconnected:
            self.resumeProducing()

    # Reading

    def doRead(self) -> Exception | None:
        """Called by the reactor when there is something to read; one read a turn is fair."""
        try:
            if self._passes_fds:
                data, ancillary, flags, _ = self._sock.recvmsg(self._read_size, _FD_SPACE, socket.MSG_CMSG_CLOEXEC)
                if ancillary and not self._take_fds(ancillary, flags):
                    return error.ConnectionLost("too many file descriptors in one message")
            else:
                data = self._sock.recv(self._read_size)
        except _WOULD_BLOCK:
            return None
        except OSError as failure:
            return error.ConnectionLost(_in_words(failure))
        if not data:
            return main.CONNECTION_DONE
        if self.bulk or len(data) >= BULK:
            self._adapt(len(data))
        self._protocol.dataReceived(data)
        return None

    def _adapt(self, size: int) -> None:
        """A full read means a bulk transfer: fewer, larger reads until only small ones come."""
        if size >= BULK:
            self.bulk = True
            self._small_reads = 0
            if size == self._read_size:
                self._read_size = READ_SIZE_LARGE
            return
        self._small_reads += 1
        if self._small_reads == SMALL_READS:
            self.bulk = False
            self._read_size = READ_SIZE

    def _take_fds(self, ancillary: Iterable[tuple[int, int, bytes]], flags: int) -> bool:
        """Hand received descriptors to the protocol; False when the kernel had to drop some."""
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        take = getattr(self._protocol, "fdsReceived", None)
        if take is None or flags & socket.MSG_CTRUNC:
            for fd in fds:
                os.close(fd)
            return not flags & socket.MSG_CTRUNC
        take(fds)
        return True

    def pauseProducing(self) -> None:
        """Stop reading."""
        if self._reading:
            self._reading = False
            self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """Go on reading."""
        if not self._reading and not self.disconnecting and not self.disconnected:
            self._reading = True
            self._reactor.addReader(self)

    stopProducing = pauseProducing

    # Writing

    @property
    def queued(self) -> int:
        """Bytes accepted by `write` and not yet taken by the kernel."""
        return self._queued

    def write(self, data: bytes | memoryview) -> None:
        """Send `data`, at once if nothing waits before it; never blocks, never raises."""
        if self.disconnecting or self.disconnected or self._error is not None:
            return
        if self._queue:
            self._enqueue(memoryview(data))
            return
        try:
            sent = self._sock.send(data)
        except _WOULD_BLOCK:
            sent = 0
        except OSError as failure:
            self._fail(failure)
            return
        if sent < len(data):
            self._enqueue(memoryview(data)[sent:])

    def writeSequence(self, data: Iterable[bytes | memoryview]) -> None:
        """Send the pieces one after the other, without copying them together."""
        if self.disconnecting or self.disconnected or self._error is not None:
            return
        pieces = [memoryview(piece) for piece in data]
        sent = 0
        if not self._queue:
            try:
                sent = self._sock.sendmsg(pieces[:PIECES_AT_ONCE])
            except _WOULD_BLOCK:
                sent = 0
            except OSError as failure:
                self._fail(failure)
                return
        for piece in pieces:
            if sent < len(piece):
                self._enqueue(piece[sent:])
            sent = max(0, sent - len(piece))

    def write_with_fds(self, data: bytes, fds: Sequence[int]) -> None:
        """Send `data`, then each descriptor on a zero byte; `fds` are owned and closed here."""
        if not self._passes_fds or self.disconnecting or self.disconnected or self._error is not None:
            for fd in fds:
                os.close(fd)
            return
        self._enqueue(memoryview(data))
        self._queue.extend(fds)
        self._queued += len(fds)
        failure = self.doWrite()
        if failure is not None:
            self._fail(failure)

    def _enqueue(self, data: memoryview) -> None:
        if not self._queue:
            self._reactor.addWriter(self)
        last = self._queue[-1] if self._queue else None
        if len(data) >= CRUMB:
            self._queue.append(data)
        elif isinstance(last, bytearray) and len(last) < READ_SIZE:
            last += data
        else:
            self._queue.append(bytearray(data))
        self._queued += len(data)
        if self._queued > HIGH_WATER and self._producer is not None and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()
        if self._queued > UNREAD_MAX:
            self.abortConnection(f"the peer left {self._queued} bytes unread")

    def _fail(self, failure: Exception) -> None:
        """End the connection in the loop's next turn, so that a writer is never called back."""
        if self._error is None:
            self._error = failure
            reason = Failure(error.ConnectionLost(_in_words(failure)))
            self._reactor.callLater(0, self.connectionLost, reason)

    def doWrite(self) -> Exception | None:
        """Called by the reactor when the socket takes data again."""
        try:
            self._drain()
        except _WOULD_BLOCK:
            pass
        except OSError as failure:
            return error.ConnectionLost(_in_words(failure))
        if not self._queue:
            self._reactor.removeWriter(self)
            if self.disconnecting:
                return main.CONNECTION_DONE
        if self._queued < LOW_WATER and self._producer_paused:
            self._producer_paused = False
            if self._producer is not None:
                self._producer.resumeProducing()
        return None

    def _drain(self) -> None:
        """Write what one call takes, and no more: a peer that swallows it all would keep everybody else waiting.

        BlockingIOError when the kernel wants no more.
        """
        self._send_fds()
        pieces: list[memoryview | bytearray] = []
        for item in self._queue:
            if isinstance(item, int) or len(pieces) == PIECES_AT_ONCE:
                break
            pieces.append(item)
        if pieces:
            sent = self._sock.sendmsg(pieces)
            self._queued -= sent
            for piece in pieces:
                if sent < len(piece):
                    self._queue[0] = memoryview(piece)[sent:]
                    return
                sent -= len(piece)
                self._queue.popleft()
            self._send_fds()

    def _send_fds(self) -> None:
        """Send the descriptors that are next."""
        while self._queue and isinstance(self._queue[0], int):
            fd = self._queue[0]
            socket.send_fds(self._sock, [b"\0"], [fd])
            os.close(fd)
            self._queue.popleft()
            self._queued -= 1

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Pause `producer` while too much is queued. Only streaming (push) producers are known."""
        if self._producer is not None:
            raise RuntimeError("a transport takes one producer")
        if not streaming:
            raise ValueError("only streaming producers can feed a socket transport")
        self._producer = cast(IPushProducer, producer)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    # Closing

    def loseConnection(self) -> None:
        """Close once everything queued is written, or after LINGER_SECONDS."""
        if self.disconnecting or self.disconnected:
            return
        self.pauseProducing()
        self.disconnecting = True
        self._linger = self._reactor.callLater(LINGER_SECONDS, self.abortConnection)
        if not self._queue:
            self._fail(ConnectionAbortedError("closed on this side"))

    def abortConnection(self, reason: str = "the connection was aborted") -> None:
        """Close now; what is queued is lost."""
        if not self.disconnected:
            self.pauseProducing()
            self.disconnecting = True
            self._drop_queue()
            self._fail(ConnectionAbortedError(reason))

    def connectionLost(self, reason: Failure) -> None:
        """Called by the reactor once, with whatever `doRead` or `doWrite` returned."""
        if self.disconnected:
            return
        # While there still is a descriptor to remove.
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self.disconnected = True
        self._reading = False
        self._drop_queue()
        if self._linger is not None and self._linger.active():
            self._linger.cancel()
        self._sock.close()
        self._protocol.connectionLost(reason)

    def readConnectionLost(self, reason: Failure) -> None:
        """A half-closed peer is a gone peer: libvirt's protocol has no use for one direction."""
        self.connectionLost(reason)

    writeConnectionLost = readConnectionLost

    def _drop_queue(self) -> None:
        for item in self._queue:
            if isinstance(item, int):
                os.close(item)
        self._queue.clear()
        self._queued = 0

    # Facts

    def fileno(self) -> int:
        """The descriptor, for the reactor; -1 once closed."""
        return -1 if self.disconnected else self._fd

    def logPrefix(self) -> str:
        """Twisted shows it in log lines."""
        return "virtproxy"

    def getPeer(self) -> IAddress:
        """The peer's address."""
        return _address(self._sock.family, self._sock.getpeername())

    def getHost(self) -> IAddress:
        """Our own address."""
        return _address(self._sock.family, self._sock.getsockname())


def _address(family: int, name: Any) -> IAddress:
    if family == socket.AF_UNIX:
        return UNIXAddress(name or None)
    kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
    return kind("TCP", name[0], name[1])


def _in_words(failure: Exception) -> str:
    """Why the socket broke, without the number."""
    return getattr(failure, "strerror", None) or str(failure)
