# SPDX-License-Identifier: LGPL-2.1-or-later
"""The remote backend: another daemon's socket, to which frames go as they came.

A session has one per daemon that it uses. The relay opens the connection when it is first needed,
says who the client is, and from then on passes packets without looking inside. When the daemon goes
away it answers what was outstanding, and the next call opens the connection again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.routing.answers import error_reply
from virtproxy.routing.backend import BackendClient
from virtproxy.routing.comeback import NEVER, Comeback
from virtproxy.routing.families import daemon_of
from virtproxy.routing.opening import DaemonStarter, Opening, connect_daemon, introduce, open_daemon
from virtproxy.routing.registrations import NOTED, Registrations
from virtproxy.rpc.client import ClientConnection, ConnectionClosed
from virtproxy.rpc.reactor import StreamReactor
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    MESSAGE,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
    Frame,
)
from virtproxy.wire.framer import Piece, Sink
from virtproxy.wire.limits import LENGTH_SIZE

# Our own calls on a connection that carries a client's serials use numbers no client reaches.
OWN_SERIALS = 0xFFFF0000
# A daemon that accepts and then says nothing must not keep its callers for ever.
OPEN_SECONDS = 30.0
CALLS = (CALL, CALL_WITH_FDS)
# Smaller pieces are kept together, so that they do not take more memory than they carry.
CRUMB = 4096


class _Link(ClientConnection):
    """The connection to the daemon; its fullness is the session's business."""

    def __init__(self, backend: RemoteBackend, reactor: StreamReactor) -> None:
        super().__init__(reactor, first_serial=OWN_SERIALS)
        self._backend = backend

    def passage(self, head: Frame) -> Sink | None:
        """Large pieces of stream data are gathered as they came: copying them together takes as long as sending."""
        if head.type == STREAM and head.status == CONTINUE:
            return Gathering(self._backend.pieces_received)
        return None

    def unread(self) -> None:
        super().unread()
        self._backend.link_full()

    def drained(self) -> None:
        super().drained()
        self._backend.link_drained()


class Gathering:
    """The sink of one large packet: keeps its pieces and hands them over when it is whole."""

    __slots__ = ("_missing", "_pieces", "_whole")

    def __init__(self, whole: Callable[[Sequence[Piece]], None]) -> None:
        self._whole = whole
        self._pieces: list[bytes | bytearray | memoryview] = []
        self._missing = 0

    def __call__(self, piece: Piece) -> None:
        if not self._pieces:
            self._missing = int.from_bytes(piece[:LENGTH_SIZE], "big")
        self._missing -= len(piece)
        if len(piece) >= CRUMB:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1] += piece
        else:
            self._pieces.append(bytearray(piece))
        if not self._missing:
            self._whole(self._pieces)


class RemoteBackend:
    """Relays one client's calls to one daemon; implements routing.backend.Backend."""

    _log = Logger()

    def __init__(
        self,
        reactor: StreamReactor,
        opening: Opening,
        client: BackendClient,
        start: DaemonStarter | None = None,
        comeback: Comeback = NEVER,
    ) -> None:
        self._reactor = reactor
        self._start = start
        self._opening = opening
        self._client = client
        # The connection from its first step on, and the same once the client's packets may go over it.
        self._link: _Link | None = None
        self._open_link: _Link | None = None
        self._under_way: Deferred[None] | None = None
        self._pending: list[Frame] = []
        # Calls that the daemon owes an answer, by the client's serial.
        self._outstanding: dict[int, Frame] = {}
        self._comeback = comeback
        # Lost, and waited for.
        self._away = False
        self._registrations = Registrations()
        # Events that came while others were still being asked for again.
        self._early: list[Frame] = []
        self._paused = False
        self._closed = False

    @property
    def name(self) -> str:
        """The daemon and its socket, for errors and logs."""
        return f"{daemon_of(self._opening.target.driver)} ({self._opening.path})"

    # Backend

    @property
    def owed(self) -> int:
        """How many calls the daemon owes an answer, or will when it is connected."""
        return len(self._outstanding) + len(self._pending)

    def owed_calls(self) -> Iterator[Frame]:
        """Yield those calls, the newest first."""
        yield from (frame for frame in reversed(self._pending) if frame.type in CALLS)
        yield from reversed(self._outstanding.values())

    def call(self, frame: Frame) -> None:
        """Pass a call on, opening the connection first where there is none."""
        link = self._open_link
        if link is not None:
            if frame.serial in self._outstanding:
                ClientConnection.discard(frame)
                self._client.reply(error_reply(frame, errors.rpc("the serial is in use")), frame)
                return
            self._outstanding[frame.serial] = frame
            if frame.procedure in NOTED:
                self._note(frame, link)
                return
            link.send(frame)
            return
        self._pending.append(frame)
        self._begin()

    def _note(self, frame: Frame, link: _Link) -> None:
        """Pass on a call that asks for events, or gives them up."""
        better = self._registrations.sent(frame)
        if better is not None:
            link.send(better)
            return
        del self._outstanding[frame.serial]
        self._client.reply(self._registrations.gone(frame) or error_reply(frame, errors.internal("no such events")))

    def _begin(self) -> None:
        """Open the connection, unless that is under way."""
        if self._under_way is None:
            opening = self._comeback.wait(self._reactor, self._open) if self._away else self.open()
            self._under_way = ensureDeferred(opening)
            self._under_way.addErrback(self._given_up)

    def stream(self, frame: Frame) -> None:
        """Pass a stream packet on, after the call that waits for the connection; without one its stream is gone."""
        if self._open_link is not None:
            self._open_link.send(frame)
        elif self._under_way is not None:
            self._pending.append(frame)

    def passage(self, head: Frame) -> Sink | None:
        """The link itself: all packets for it come from this client, one after the other."""
        return self._open_link.send_piece if self._open_link is not None else None

    def pause(self) -> None:
        """Stop reading from the daemon."""
        self._paused = True
        if self._link is not None:
            self._link.hold("client")

    def resume(self) -> None:
        """Read from the daemon again."""
        self._paused = False
        if self._link is not None:
            self._link.release("client")

    def close(self, error: VirtError | None = None) -> None:
        """Leave the daemon; who still waits for answers gets `error`."""
        self._closed = True
        self._open_link = None
        pending, self._pending = self._pending, []
        for frame in pending:
            ClientConnection.discard(frame)
        owed, self._outstanding = self._outstanding, {}
        if error is not None:
            for frame in (*owed.values(), *(frame for frame in pending if frame.type in CALLS)):
                self._client.reply(error_reply(frame, error), frame)
        if self._link is not None:
            self._link.close()
        if self._away and self._under_way is not None:
            self._under_way.cancel()

    # Opening

    async def open(self) -> None:
        """Connect, open the URI and say who the client is; raises VirtError as the daemon says it."""
        await self._open(OPEN_SECONDS)

    async def _open(self, seconds: float) -> None:
        link = _Link(self, self._reactor)
        timer = self._reactor.callLater(min(seconds, OPEN_SECONDS), link.abort, "it did not answer in time")
        try:
            opening = self._opening
            await connect_daemon(self._reactor, opening, link, self._start)
            self._link = link
            if self._closed:
                raise errors.internal("the client left")
            await open_daemon(link, opening)
            refused = await self._ask_for_events(link) if self._registrations else []
            while opening is not self._opening:  # the client became somebody else meanwhile
                opening = self._opening
                await introduce(link, opening.identity)
        except BaseException as failure:
            link.close("could not be opened")
            self._link = None
            self._early.clear()
            if isinstance(failure, ConnectionClosed):
                raise self._lost_error(link.lost_reason or "it closed the connection") from None
            raise
        finally:
            if timer.active():
                timer.cancel()
        self._opened(link)
        for error in refused:
            self._log.warn(
                "{name} refuses events that it gave: {error}", name=self.name, error=error.message, client=self._client
            )
        if refused:
            self._client.backend_deaf(self)

    async def _ask_for_events(self, link: _Link) -> list[VirtError]:
        """Register what the client had registered; what comes of it already waits until all is there."""

        def receive(frame: Frame) -> None:
            if frame.type == MESSAGE:
                self._early.append(frame)
            else:
                link.frame_received(frame)

        link.receiver = receive
        return await self._registrations.renew(link.call)

    async def set_identity(self, identity: Identity) -> None:
        """Tell the daemon that the client speaks for somebody else from now on."""
        self._opening = replace(self._opening, identity=identity)
        if self._open_link is not None:
            await introduce(self._open_link, identity)

    def _opened(self, link: _Link) -> None:
        self._under_way = None
        if self._away:
            self._away = False
            self._comeback.came_back(self._opening.target.driver)
            self._log.info("{name} is there again", name=self.name, client=self._client)
        self._open_link = link
        link.when_lost.append(self._link_lost)
        link.receiver = self._frame_received
        if self._paused:
            link.hold("client")
        early, self._early = self._early, []
        for event in early:
            self._frame_received(event)
        while self._pending and self._open_link is not None:
            frame = self._pending.pop(0)
            (self.call if frame.type in CALLS else self.stream)(frame)

    def _given_up(self, failure: Failure) -> None:
        """The daemon cannot be opened: answer every call that waited for it."""
        self._under_way = None
        if self._closed:
            return
        error = failure.value
        if not isinstance(error, VirtError):
            self._log.failure("opening {name} failed", failure=failure, name=self.name, client=self._client)
            error = errors.internal(f"{self.name} could not be opened")
        pending, self._pending = self._pending, []
        for frame in pending:
            ClientConnection.discard(frame)
            if frame.type in CALLS:
                self._client.reply(error_reply(frame, error), frame)
        if self._away:
            self._away = False
            self._comeback.given_up(self._opening.target.driver)
            self._client.backend_lost(self, error, deaf=bool(self._registrations))

    # The way back

    def _frame_received(self, frame: Frame) -> None:
        kind = frame.type
        if kind == REPLY or kind == REPLY_WITH_FDS:
            call = self._outstanding.pop(frame.serial, None)
            if call is not None:
                if self._registrations.pending:
                    frame = self._registrations.answered(frame)
                self._client.reply(frame, call)
            elif self._link is not None:
                self._link.frame_received(frame)
        elif kind == MESSAGE or kind == STREAM or kind == STREAM_HOLE:
            if kind == MESSAGE and self._registrations.translates:
                event = self._registrations.event(frame)
                if event is None:
                    return
                frame = event
            self._client.send(frame)
        else:
            ClientConnection.discard(frame)

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        """A whole packet of stream data, in pieces."""
        self._client.send_pieces(pieces)

    def link_full(self) -> None:
        """The daemon does not read."""
        self._client.backend_full(self)

    def link_drained(self) -> None:
        """The daemon reads again."""
        self._client.backend_drained(self)

    def _link_lost(self, reason: str) -> None:
        """The daemon went away: answer what it owed, and open it again now or with the next call."""
        self._open_link = None
        self._link = None
        if self._closed:
            return
        outstanding, self._outstanding = self._outstanding, {}
        self._log.warn("lost {name}: {reason}", name=self.name, reason=reason, client=self._client)
        error = self._lost_error(reason)
        for frame in outstanding.values():
            self._client.reply(self._registrations.gone(frame) or error_reply(frame, error), frame)
        if not self._comeback.seconds:
            self._client.backend_lost(self, error, deaf=bool(self._registrations))
            return
        self._away = True
        if (self._client.backend_away(self, error) or self._registrations) and not self._closed:
            self._begin()

    def _lost_error(self, reason: str) -> VirtError:
        """The error of a call or stream that died with the daemon's connection."""
        return errors.internal(f"lost the connection to {self.name}: {reason}")
