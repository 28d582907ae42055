# SPDX-License-Identifier: LGPL-2.1-or-later
"""One client's session: sends each call to the backend of its family, and the answers back.

A ServerConnection feeds it; backends answer into it. It opens backends when they are first needed,
keeps the streams' owners, and couples the flow of both sides. What a daemon answers itself is in
edge.py; nothing here looks into a payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from virtproxy import errors
from virtproxy.auth.gate import Gate
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.routing.answers import error_reply, stream_error
from virtproxy.routing.backend import Backend
from virtproxy.routing.edge import Edge
from virtproxy.routing.families import Route, Target
from virtproxy.routing.pipeline import Pipeline
from virtproxy.routing.procedures import FAMILIES, GOODBYE, index_of, lane_of, procedure_of
from virtproxy.routing.router import Router
from virtproxy.routing.stages import StageMaker
from virtproxy.rpc.server import ServerConnection
from virtproxy.wire.frame import CONTINUE, ERROR, MESSAGE, OK, STREAM, Frame
from virtproxy.wire.framer import Piece, Sink

_HYPERVISOR = index_of(Family.HYPERVISOR)
# Calls that a client may try before it logged in; each is an error, and a line of the audit trail where all calls are.
STRANGE_CALLS_MAX = 100


class Session:
    """Serves one client; implements rpc.server.ServerSession and routing.backend.BackendClient."""

    def __init__(
        self,
        client: ServerConnection,
        gate: Gate,
        router: Router,
        identity: Identity,
        stages: Sequence[StageMaker] = (),
        number: int = 0,
    ) -> None:
        self.client = client
        self.gate = gate
        self.router = router
        self.identity = identity
        # The client's, in the daemon's log.
        self.number = number
        # Why its last login failed, which the client is not told.
        self.login_refusal: str | None = None
        self.flags = 0
        # Packets that went on to a backend.
        self.passed_on = 0
        self._strange_calls = 0
        # Why no more calls are served, if they are not.
        self._closing: VirtError | None = None
        self.opening = False
        self.wants_close_event = False
        self._route: Route | None = None
        self._backends: list[Backend | None] = [None] * len(FAMILIES)
        # Calls that came while CONNECT_OPEN was under way.
        self._held: list[Frame] = []
        # Streams by serial: the call that opened it and who serves it.
        self._streams: dict[int, tuple[Frame, Backend]] = {}
        # Why the backends are paused: the client, or events that wait.
        self._pauses: set[object] = set()
        self._edge = Edge(self)
        self.pipeline = Pipeline(self, stages)
        self._plain = self.pipeline.plain

    # From the client

    def call(self, frame: Frame) -> None:
        """Serve a call. The first lines are the whole way of nearly every call."""
        key = (frame.program, frame.version, frame.procedure)
        family = self._plain.get(key)
        if family is not None and frame.status == OK:
            backend = self._backends[family]
            if backend is not None:
                self.passed_on += 1
                backend.call(frame)
                return
        try:
            way = self.pipeline.ways.get(key)
            if way is not None and frame.status == OK and not self.opening:
                backend = self._backends[way[2]]
                if backend is not None:
                    self.passed_on += 1
                    self.pipeline.lead(frame, way, backend)
                    return
            self._call_with_thought(frame)
        except VirtError as refusal:
            self.refuse(frame, refusal)

    def _call_with_thought(self, frame: Frame) -> None:
        procedure = procedure_of(frame)
        refusal = self.gate.refuses(procedure)
        if refusal is not None:
            self._strange_calls += not self.gate.authenticated
            if self._strange_calls > STRANGE_CALLS_MAX:
                self.client.close(f"it tried {self._strange_calls} calls without logging in")
            raise refusal
        if self._closing is not None and procedure.edge != "close":
            raise self._closing
        if self.opening and procedure.edge != "close":
            self._held.append(frame)
        else:
            self.pipeline.take(frame, procedure)

    def admitted(self, frame: Frame, procedure: Procedure[Any, Any]) -> None:
        """Every stage let the call pass: serve it here or send it to its backend. VirtError if nobody serves it."""
        if not self._edge.served(frame, procedure):
            self.forward(frame, procedure)

    def refresh(self) -> None:
        """Who the client is, its URI or the rules changed: what needs thought is worked out anew."""
        self.pipeline.refresh()
        self._plain = self.pipeline.plain if self._closing is None else {}

    def refuse_calls(self, error: VirtError) -> None:
        """Answer every further call, but a goodbye, with `error`; those that are being served go on."""
        self._closing = error
        self.refresh()

    def break_off(self, streams: VirtError, calls: VirtError) -> None:
        """End all streams and everything that is owed with these errors: the client is about to be closed."""
        for call, _ in list(self._streams.values()):
            self.client.send(stream_error(call, streams))
        self._edge.break_off(calls)
        self.detach(calls)
        self.pipeline.abandon(calls)

    def refuse(self, call: Frame, refusal: VirtError) -> None:
        """Answer `call` with an error."""
        self.client.discard(call)
        self.reply(error_reply(call, refusal), call)

    def answer(self, frame: Frame) -> None:
        """The daemon itself has served a call: this is its answer."""
        self.reply(frame)

    def forward(self, frame: Frame, procedure: Procedure[Any, Any]) -> None:
        """Send a call to the backend of its family; VirtError if there is none."""
        backend = self._backend_of(procedure.family)
        if procedure.stream is not None:
            self._streams[frame.serial] = (frame, backend)
        self.passed_on += 1
        backend.call(frame)

    def lane(self, frame: Frame) -> int | None:
        """Calls of each family are in a lane of their own."""
        return lane_of(frame)

    def has_room(self, lane: int | None, most: int) -> bool:
        """Whether the backend of a family owes fewer than `most` answers; a goodbye is always answered."""
        if lane is None or lane == GOODBYE:
            return lane == GOODBYE
        if self.opening or self._route is None or not self.gate.authenticated:
            return False
        backend = self._backends[lane]
        owed = backend.owed if backend is not None else 0
        return owed + self.pipeline.thinking_of(FAMILIES[lane]) < most

    def stream(self, frame: Frame) -> None:
        """Pass a stream packet to whoever serves the stream; one of no stream is dropped."""
        entry = self._streams.get(frame.serial)
        if entry is not None and entry[0].procedure == frame.procedure:
            self.passed_on += 1
            entry[1].stream(frame)
        elif self.pipeline.requests:
            self.pipeline.holds(frame)

    def passage(self, head: Frame) -> Sink | None:
        """Where a large packet of a stream goes while it comes; one of no stream is received, then dropped."""
        entry = self._streams.get(head.serial)
        if entry is None or entry[0].procedure != head.procedure:
            return None
        self.passed_on += 1
        return entry[1].passage(head)

    @property
    def open_streams(self) -> int:
        """How many streams there are."""
        return len(self._streams)

    # Backends

    @property
    def primary(self) -> Backend | None:
        """The backend of the opened URI, or None before CONNECT_OPEN."""
        return self._backends[_HYPERVISOR]

    @property
    def backends(self) -> list[Backend]:
        """Every backend that is in use, each once."""
        return list({id(backend): backend for backend in self._backends if backend}.values())

    def attach(self, route: Route, primary: Backend) -> None:
        """CONNECT_OPEN succeeded: serve the route from now on."""
        self._route = route
        self.refresh()
        for index, family in enumerate(FAMILIES):
            if family is Family.HYPERVISOR or not route.secondary or route.secondary.get(family) == route.primary:
                self._backends[index] = primary

    def forget_stream(self, call: Frame) -> None:
        """Drop what the client still sends to the stream that `call` asked for."""
        self._streams.pop(call.serial, None)

    def abandon(self, call: Frame, procedure: Procedure[Any, Any], error: VirtError) -> None:
        """Break the stream that `call` opened at its backend, because the client has been told that it failed."""
        backend = self._backends[index_of(procedure.family)]
        if backend is not None:
            backend.stream(stream_error(call, error))

    def detach(self, error: VirtError | None = None) -> None:
        """Give every backend up; what they owe is answered with `error`, if the client is still there to read it."""
        backends = self.backends
        self._backends = [None] * len(FAMILIES)
        self._route = None
        self._streams.clear()
        for backend in backends:
            backend.close(error)

    def new_backend(self, route: Route, family: Family) -> Backend:
        """A backend for a family of the route, told of the client's present flow."""
        target = route.primary if family is Family.HYPERVISOR else route.secondary[family]
        backend = self.router.backend(target, self.flags, self.identity, self)
        if self._pauses:
            backend.pause()
        return backend

    def target_of(self, family: Family) -> Target | None:
        """The daemon that serves `family` for this client; None before CONNECT_OPEN, or if nobody does."""
        if self._route is None:
            return None
        if family is Family.HYPERVISOR or not self._route.secondary:
            return self._route.primary
        return self._route.secondary.get(family)

    def edge_calls(self) -> Iterator[Frame]:
        """Yield the calls that this daemon answers itself and has not, and those that wait for one of them."""
        if self._edge.serving is not None:
            yield self._edge.serving
        yield from self._held

    def _backend_of(self, family: Family) -> Backend:
        backend = self._backends[index_of(family)]
        if backend is not None:
            return backend
        if self._route is None or family not in self._route.secondary:
            which = "hypervisor " if family is Family.HYPERVISOR else ""
            raise errors.internal(f"{which}connection not open")
        backend = self.new_backend(self._route, family)
        self._backends[index_of(family)] = backend
        return backend

    def opened(self) -> None:
        """CONNECT_OPEN has been answered: serve the calls that waited for it."""
        self.opening = False
        while self._held and not self.opening:
            self.call(self._held.pop(0))

    # From the backends

    def reply(self, frame: Frame, call: Frame | None = None) -> None:
        """A call has its answer; `call` is told where it is at hand."""
        if self._streams and frame.status == ERROR:
            self._streams.pop(frame.serial, None)
        if (self.pipeline.requests or self.pipeline.asked) and self.pipeline.replied(frame):
            return
        if frame.status == ERROR and self.pipeline.watchers and call is not None:
            self.pipeline.deliver(call, frame)
            return
        self.client.reply(frame)

    def send(self, frame: Frame) -> None:
        """An event or a stream packet for the client."""
        if frame.type == STREAM and frame.status != CONTINUE:
            self._streams.pop(frame.serial, None)
        elif self.pipeline.filters_events and frame.type == MESSAGE:
            self.pipeline.events.take(frame)
            return
        self.client.send(frame)

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """A packet of stream data for the client, in pieces."""
        self.client.send_pieces(pieces)

    def backend_full(self, backend: Backend) -> None:
        """Stop reading from the client."""
        self.client.hold(backend)

    def backend_drained(self, backend: Backend) -> None:
        """Read from the client again."""
        self.client.release(backend)

    def backend_away(self, backend: Backend, error: VirtError) -> bool:
        """End the streams of a backend that is lost for now; it is missed by a client that asked to be told."""
        self._end_streams(backend, error)
        return self.wants_close_event and backend is self.primary

    def backend_lost(self, backend: Backend, error: VirtError, *, deaf: bool = False) -> None:
        """End the streams of a lost backend, and tell a client that asked to be told."""
        self._end_streams(backend, error)
        if self.wants_close_event and (deaf or backend is self.primary):
            self._edge.send_close_event()

    def backend_deaf(self, backend: Backend) -> None:
        """Tell a client that asked to be told: what it waits for may never come."""
        if self.wants_close_event:
            self._edge.send_close_event()

    def hang_up(self, why: str) -> None:
        """Close the client's connection."""
        self.client.close(why)

    def _end_streams(self, backend: Backend, error: VirtError) -> None:
        for serial, (call, owner) in list(self._streams.items()):
            if owner is backend:
                del self._streams[serial]
                self.client.send(stream_error(call, error))
        self.client.release(backend)

    # The client's flow and end

    def client_full(self) -> None:
        """The client does not read."""
        self.pause_backends(self)

    def client_drained(self) -> None:
        """The client reads again."""
        self.resume_backends(self)

    def pause_backends(self, why: object) -> None:
        """Let the backends produce nothing more until each `why` is resumed."""
        if not self._pauses:
            for backend in self.backends:
                backend.pause()
        self._pauses.add(why)

    def resume_backends(self, why: object) -> None:
        """Undo one `pause_backends`; harmless if there was none."""
        if why in self._pauses:
            self._pauses.discard(why)
            if not self._pauses:
                for backend in self.backends:
                    backend.resume()

    def client_lost(self, reason: str) -> None:
        """The client is gone."""
        while self._held:
            self.client.discard(self._held.pop(0))
        self._edge.cancel()
        self.pipeline.close()
        self.detach()
