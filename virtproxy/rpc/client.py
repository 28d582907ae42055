# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client end of a connection: calls with typed arguments, events, streams.

The public client library and the relay (for what it asks of a daemon itself) use it. It knows no
URI and no authentication: it turns values into packets and packets into results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol import programs
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.rpc.connection import Connection
from virtproxy.rpc.reactor import Clock
from virtproxy.rpc.streams import ClientStream
from virtproxy.wire.codec import Struct, WireError
from virtproxy.wire.frame import ERROR, MESSAGE, REPLY, REPLY_WITH_FDS, STREAM, STREAM_HOLE, Frame

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
_SERIAL_LIMIT = 0xFFFFFFFF


class ConnectionClosed(VirtError):
    """The connection was lost (or never there) while an answer was outstanding."""


def connection_closed(reason: str) -> ConnectionClosed:
    """The error of every call and stream that a lost connection leaves behind."""
    like = errors.internal(f"the connection was lost: {reason}")
    return ConnectionClosed(like.code, like.message, domain=like.domain, str1=like.str1, str2=like.str2)


def error_of(frame: Frame) -> VirtError:
    """The error in an error reply or a stream's error packet."""
    try:
        return VirtError.from_net(decode_error(frame))
    except WireError as failure:
        return errors.rpc(f"an error reply that cannot be read: {failure}")


class ClientConnection(Connection):
    """One connection to a daemon, already connected or about to be."""

    def __init__(
        self,
        clock: Clock,
        *,
        keepalive_interval: float = 0,
        keepalive_count: int = 5,
        first_serial: int = 1,
    ) -> None:
        super().__init__(clock, keepalive_interval, keepalive_count)
        self._serial = first_serial - 1
        self._calls: dict[int, tuple[Procedure[Any, Any], Deferred[Any]]] = {}
        self._streams: dict[int, ClientStream] = {}
        self._events: dict[tuple[int, int], Callable[[Any], None]] = {}
        self._writable: list[Deferred[None]] | None = None
        self.when_lost: list[Callable[[str], None]] = []
        self.lost_reason: str | None = None
        # Descriptors that came with the last reply; whoever expects some takes them over.
        self.received_fds: tuple[int, ...] = ()

    # Calls

    def call(self, procedure: Procedure[A, R], args: A | None = None, fds: Sequence[int] = ()) -> Deferred[R]:
        """Send a call; the Deferred fires with the decoded result.

        It fails with VirtError as the daemon sent it, or ConnectionClosed. `fds` are owned from
        here on. Raises WireError at once if `args` cannot be encoded.
        """
        return self._call(self._next_serial(), procedure, args, fds)

    def open_stream(self, procedure: Procedure[A, R], args: A) -> tuple[Deferred[R], ClientStream]:
        """Send a call that opens a stream; use the stream once the Deferred has fired."""
        serial = self._next_serial()
        stream = ClientStream(self, procedure, serial)
        # Known before the call goes out: over a transport in memory the answer comes while it is sent.
        self._streams[serial] = stream
        try:
            return self._call(serial, procedure, args, ()), stream
        except Exception:
            del self._streams[serial]
            raise

    def _call(self, serial: int, procedure: Procedure[A, R], args: A | None, fds: Sequence[int]) -> Deferred[R]:
        frame = procedure.call_frame(serial, cast("A", args), fds)
        result: Deferred[R] = Deferred()
        if self.closed:
            self.discard(frame)
            self._streams.pop(serial, None)
            result.errback(connection_closed(self.lost_reason or "it is closed"))
            return result
        self._calls[serial] = (procedure, result)
        self.send(frame)
        return result

    def _next_serial(self) -> int:
        serial = self._serial
        while True:
            serial = serial + 1 if serial < _SERIAL_LIMIT else 1
            if serial not in self._calls and serial not in self._streams:
                self._serial = serial
                return serial

    # Events

    def on_event(self, procedure: Procedure[A, Any], callback: Callable[[A], None]) -> None:
        """Call `callback` with the decoded message of each event of that procedure."""
        self._events[procedure.program.number, procedure.number] = callback

    # Frames

    def frame_received(self, frame: Frame) -> None:
        """A packet from the daemon."""
        kind = frame.type
        if kind == REPLY or kind == REPLY_WITH_FDS:
            self._reply_received(frame)
        elif kind == STREAM or kind == STREAM_HOLE:
            stream = self._streams.get(frame.serial)
            if stream is not None:
                stream.frame_received(frame)
        elif kind == MESSAGE:
            self._event_received(frame)
        else:
            self.discard(frame)

    def _reply_received(self, frame: Frame) -> None:
        entry = self._calls.pop(frame.serial, None)
        if entry is None:
            self.discard(frame)
            return
        procedure, result = entry
        if frame.status == ERROR:
            self._refused(frame, result, error_of(frame))
            return
        self.received_fds = frame.fds
        try:
            value = procedure.decode_ret(frame)
        except WireError as failure:
            self.received_fds = ()
            self._refused(frame, result, errors.rpc(f"the reply to {procedure.name} cannot be read: {failure}"))
            return
        result.callback(value)
        if self.received_fds and frame.fds is self.received_fds:
            self.received_fds = ()
            self.discard(frame)

    def _refused(self, reply: Frame, result: Deferred[Any], error: VirtError) -> None:
        """Fail a call, and the stream it would have opened."""
        self.discard(reply)
        stream = self._streams.get(reply.serial)
        if stream is not None:
            stream.fail(error)
        result.errback(error)

    def take_fds(self) -> tuple[int, ...]:
        """Take over the descriptors of the reply that is being delivered (in its callback)."""
        fds, self.received_fds = self.received_fds, ()
        return fds

    def _event_received(self, frame: Frame) -> None:
        callback = self._events.get((frame.program, frame.procedure))
        if callback is None:
            return
        try:
            message = decode_event(frame)
        except WireError as failure:
            # As text: whoever keeps log entries must not keep the packet with them.
            self._log.warn("an event cannot be read: {why}", why=str(failure))
            return
        try:
            callback(message)
        except Exception:
            self._log.failure("an event callback raised")

    # Flow and loss

    def unread(self) -> None:
        """The daemon does not read: writers wait."""
        self._writable = []

    def drained(self) -> None:
        """The daemon reads again."""
        waiting, self._writable = self._writable or [], None
        for deferred in waiting:
            deferred.callback(None)

    async def writable(self) -> None:
        """Return when the daemon takes more."""
        if self._writable is not None:
            ready: Deferred[None] = Deferred()
            self._writable.append(ready)
            await ready

    def stream_ended(self, serial: int) -> None:
        """A stream is over: packets that still come for it are dropped."""
        self._streams.pop(serial, None)

    def lost(self, reason: str) -> None:
        """Fail every outstanding call and stream, once, here."""
        self.lost_reason = reason
        self.drained()
        calls, self._calls = self._calls, {}
        streams, self._streams = self._streams, {}
        for _, result in calls.values():
            result.errback(connection_closed(reason))
        for stream in streams.values():
            stream.fail(connection_closed(reason))
        for callback in self.when_lost:
            callback(reason)


def decode_event(frame: Frame) -> Any:
    """The message of an event of any known program."""
    program = programs.BY_NUMBER.get(frame.program)
    procedure = program.procedures.get(frame.procedure) if program else None
    if procedure is None:
        raise WireError(f"event {frame.procedure} of program {frame.program:#x} is not known")
    return procedure.decode_args(frame)
