# SPDX-License-Identifier: LGPL-2.1-or-later
"""One connection of the protocol, what both ends share: framing, keepalive, backpressure, close.

ServerConnection and ClientConnection build on it. It is a Twisted protocol on any transport; with a
SocketTransport it passes descriptors too. It decides nothing about what a packet means.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy.rpc import keepalive
from virtproxy.rpc.keepalive import Keepalive
from virtproxy.rpc.reactor import Clock
from virtproxy.rpc.security_layer import LayerError, ProtectedTransport, SecurityLayer
from virtproxy.wire.frame import MESSAGE, REPLY, Frame
from virtproxy.wire.framer import DIVERT_MIN, FrameError, Framer, Piece, Sink
from virtproxy.wire.limits import PACKET_MAX

# How long one peer's packets are served before everybody else gets a turn, and how many between looks at the clock.
TURN_SECONDS = 0.0002
BATCH = 4
# How long a peer waits for its next turn that had nothing in its last one but what goes no further: there is no hurry,
# and the processor has better to do.
REST_SECONDS = 0.002
_TURN = "turn"
_ONLY_TURN: set[object] = {_TURN}
_clock = time.perf_counter


class Transport(Protocol):
    """What a connection needs of its transport: SocketTransport has it, and so has Twisted's TLS."""

    def write(self, data: Any) -> None: ...
    def writeSequence(self, data: Any) -> None: ...
    def registerProducer(self, producer: Any, streaming: bool) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...


class Connection:
    """Frames in by `receiver`, frames out by `send`; `lost(reason)` is called exactly once."""

    _log = Logger()

    def __init__(self, clock: Clock, keepalive_interval: float, keepalive_count: int) -> None:
        self._framer = Framer()
        self._timers = clock
        self._holds: set[object] = set()
        # When the packets that came at once and were too many go on being served.
        self._next_turn: IDelayedCall | None = None
        self._peer_is_full = False
        self._keepalive = Keepalive(
            clock, keepalive_interval, keepalive_count, self._send_ping, self._peer_is_dead, self._listens
        )
        self._transport: Transport | None = None
        self._reason: str | None = None
        self._layer: SecurityLayer | None = None
        self.closed = False
        # Both are bound once, by the end that builds on this: they are the hot path.
        self.receiver: Callable[[Frame], None] = self.frame_received
        self._write: Callable[[Piece], None] = self._write_nowhere

    # What the ends implement

    def frame_received(self, frame: Frame) -> None:
        """A packet came (keepalive is answered before)."""
        raise NotImplementedError

    def passage(self, head: Frame) -> Sink | None:
        """Where a large packet should go while it still comes; None to receive it whole."""
        return None

    def made_progress(self) -> bool:
        """Whether anything of what came since this was asked last was of use to somebody else."""
        return True

    def connected(self) -> None:
        """The transport is there."""

    def lost(self, reason: str) -> None:
        """The connection is over: fail what is outstanding."""

    def unread(self) -> None:
        """The peer does not read: produce no more for it."""

    def drained(self) -> None:
        """The peer reads again."""

    # Twisted calls these

    def makeConnection(self, transport: Transport) -> None:
        """Called once, with the transport."""
        self._transport = transport
        if self.closed:  # given up while it was still being connected
            transport.abortConnection()
            return
        self._write = transport.write
        transport.registerProducer(self, True)
        self.connected()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came; a peer that does not speak the protocol is cut off."""
        self._keepalive.heard = True
        if self._layer is not None:
            try:
                data = self._layer.decode(data)
            except LayerError as failure:
                self.abort(f"broken security layer: {failure}")
                return
            if not data:
                return
        frames = self._feed(data)
        if self._framer.rest is not None:
            self._go_on()
        elif len(data) >= DIVERT_MIN or not frames:
            self._offer_passage()
            if self._framer.keeps_large and not self.closed:
                self._rest()

    def _feed(self, data: bytes) -> list[Frame]:
        """Receive the first packets that `data` completes."""
        try:
            frames = self._framer.feed(data, BATCH)
        except FrameError as failure:
            self.abort(f"broken packet: {failure}")
            return []
        for frame in frames:
            if self.closed:
                self.discard(frame)
            elif frame.type == MESSAGE and frame.program == keepalive.PROGRAM:
                self._keepalive_received(frame)
            else:
                self.receiver(frame)
        return frames

    def _go_on(self) -> None:
        """More packets came at once: receive them for a moment, and the rest when others had their turn."""
        end = _clock() + TURN_SECONDS
        while self._framer.rest is not None and not self.closed:
            if _clock() > end or (self._holds and self._holds != _ONLY_TURN):
                self.hold(_TURN)
                self._await_turn(0 if self.made_progress() else REST_SECONDS)
                return
            self._feed(b"")
        self._offer_passage()
        self.release(_TURN)

    def _await_turn(self, seconds: float = 0) -> None:
        """Go on in the loop's next turn, or later, unless somebody else holds the peer: then when he lets it go."""
        if self._next_turn is None and self._holds == _ONLY_TURN and not self.closed:
            self._next_turn = self._timers.callLater(seconds, self._take_turn)

    def _take_turn(self) -> None:
        self._next_turn = None
        self._go_on()

    def _rest(self) -> None:
        """Read no more for a while."""
        self.hold(_TURN)
        self._await_turn(REST_SECONDS)

    def _offer_passage(self) -> None:
        """A large packet has begun: whoever wants it at once gets it as it comes."""
        head = self._framer.head()
        if head is not None and not self.closed:
            sink = self.passage(head)
            if sink is not None:
                self._framer.divert(sink)

    def fdsReceived(self, fds: Iterable[int]) -> None:
        """Descriptors came, before the bytes they belong to."""
        self._framer.add_fds(fds)

    def connectionLost(self, reason: Failure) -> None:
        """Called once; the only place where a connection ends."""
        self.closed = True
        self._keepalive.stop()
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        self._framer.close()
        self._write = self._write_nowhere
        self.lost(self._reason or _in_words(reason))

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._peer_is_full = True
        self.unread()

    def resumeProducing(self) -> None:
        """The transport has room."""
        self._peer_is_full = False
        self.drained()

    def stopProducing(self) -> None:
        """The transport is gone; connectionLost follows."""

    # What the rest of the library calls

    def send(self, frame: Frame) -> None:
        """Queue a frame; its descriptors are owned and closed here. Never raises, never blocks."""
        if frame.fds:
            self._send_with_fds(frame)
        else:
            self._write(frame.raw)

    def send_piece(self, data: Piece) -> None:
        """Queue a piece of a packet; the next pieces follow before anything else is sent."""
        self._write(data)

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Queue a whole packet that is in pieces."""
        if self._transport is not None and not self.closed:
            self._transport.writeSequence(pieces)

    def _send_with_fds(self, frame: Frame) -> None:
        with_fds = getattr(self._transport, "write_with_fds", None)
        if with_fds is None or self.closed:
            self.discard(frame)
            if not self.closed:
                self.abort("file descriptors cannot be passed over this transport")
        else:
            with_fds(frame.raw, frame.fds)

    @property
    def ssf(self) -> int:
        """The strength in bits of the security layer, 0 without."""
        return 0 if self._layer is None else self._layer.ssf

    def protect_after(self, serial: int, layer: SecurityLayer) -> None:
        """Send the reply with `serial`, which comes next, as it is, and put `layer` around everything after it."""
        plain = self._write

        def write(data: Piece) -> None:
            plain(data)
            if _is_reply_to(serial, data):
                self.protect(layer)

        self._write = write

    def protect(self, layer: SecurityLayer) -> None:
        """Put `layer` around every byte from now on, both ways; not for a server, whose reply is still to be sent."""
        if self._transport is None or self.closed:
            return
        if self.unprotected:
            # It was sent by somebody who did not wait for the layer, perhaps not by the peer at all.
            self.abort("it sent more before the security layer was there")
            return
        self._layer = layer
        self._transport = ProtectedTransport(self._transport, layer)
        self._write = self._transport.write

    @property
    def unprotected(self) -> bool:
        """Whether something came that was not yet looked at."""
        return self._framer.missing != 0 or self._framer.rest is not None

    def limit_packets(self, size: int = PACKET_MAX) -> None:
        """Cut the peer off at a packet of more bytes than that, before anything of it is kept."""
        self._framer.packet_max = size

    def hold(self, why: object) -> None:
        """Stop reading until each `why` that was held is released."""
        self._holds.add(why)
        if self._transport is not None and len(self._holds) == 1:
            self._transport.pauseProducing()

    def release(self, why: object) -> None:
        """Undo one `hold`; harmless if there was none."""
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and self._transport is not None and not self.closed:
                self._transport.resumeProducing()
            else:
                self._await_turn()

    def held(self, why: object) -> bool:
        """Whether `why` keeps the connection from reading."""
        return why in self._holds

    def close(self, reason: str = "closed on this side") -> None:
        """Close after what is queued has been written."""
        if not self.closed:
            self.closed = True
            self._reason = reason
            self._keepalive.stop()
            if self._transport is not None:
                self._transport.loseConnection()

    def abort(self, reason: str) -> None:
        """Close now."""
        self.closed = True
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abortConnection()

    @staticmethod
    def discard(frame: Frame) -> None:
        """Drop a frame that goes nowhere, and close its descriptors."""
        for fd in frame.fds:
            os.close(fd)
        frame.fds = ()

    # Keepalive

    def start_keepalive(self) -> None:
        """Begin to ping the peer when it is silent."""
        self._keepalive.start()

    def _keepalive_received(self, frame: Frame) -> None:
        if frame.procedure == keepalive.PING_NUMBER:
            self._write(keepalive.PONG.raw)

    def _send_ping(self) -> None:
        self._write(keepalive.PING.raw)

    def _listens(self) -> bool:
        """Whether the peer would be heard; one that reads nothing either has no such excuse."""
        return not self._holds or self._peer_is_full

    def _peer_is_dead(self) -> None:
        self.abort("the peer did not answer keepalive messages")

    def _write_nowhere(self, data: Piece) -> None:
        """Before there is a transport, and after: the peer is not there to read it."""


def _is_reply_to(serial: int, data: Piece) -> bool:
    return int.from_bytes(data[16:20], "big") == REPLY and int.from_bytes(data[20:24], "big") == serial


def _in_words(reason: Failure) -> str:
    """Why a connection ended, for an error that a person reads."""
    if reason.check(ConnectionDone):
        return "the other side closed it"
    if isinstance(reason.value, ConnectionLost) and reason.value.args:
        return str(reason.value.args[0])
    return reason.getErrorMessage()
