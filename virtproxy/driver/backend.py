# SPDX-License-Identifier: LGPL-2.1-or-later
"""A driver in this process, seen by a session as a backend: frames in, frames out.

One per client and driver. It decodes, asks the access decision, runs the driver's method, checks what the method
did and encodes the answer; what a read-only client may not call is refused before, by the session's stage. Every
call is answered exactly once; whatever a driver raises becomes an error reply and never reaches the session.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from virtproxy.access.decision import Access, EveryoneMay
from virtproxy.access.origin import error_domain
from virtproxy.access.rules import rules_of
from virtproxy.driver.base import Driver, HangUp
from virtproxy.driver.call import Call
from virtproxy.driver.coroutines import rest_of
from virtproxy.driver.events import Emission, EventKind, Registrations
from virtproxy.driver.lists import check_room, fitted
from virtproxy.driver.local_streams import Streams
from virtproxy.driver.registration import DEFAULTS, REGISTERS, SERVED
from virtproxy.errors import VirtError, internal, no_support, rpc
from virtproxy.identity import Identity
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.schema import Procedure, error_frame
from virtproxy.routing.backend import BackendClient
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import Frame
from virtproxy.wire.framer import Sink

PROGRAMS = {program.number: program for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)}
# What a client that does not read may leave waiting here before it is given up, in bytes.
WAITING_MAX = 8 * 1024 * 1024
_EVERYONE = EveryoneMay()
_log = Logger()


class LocalBackend:
    """Implements `routing.backend.Backend` for one client of `driver`."""

    def __init__(
        self,
        driver: Driver,
        client: BackendClient,
        identity: Identity,
        *,
        uri: str,
        readonly: bool = False,
        access: Access = _EVERYONE,
    ) -> None:
        self.driver = driver
        self.client = client
        self.identity = identity
        self.readonly = readonly
        self.uri = uri
        self.access = access
        self.registrations = Registrations()
        self._running: dict[Deferred[None], Frame] = {}
        self._paused = False
        self._waiting: deque[Frame] = deque()
        self._waiting_size = 0
        self._joined = False
        self._closed = False
        # What the calls that are given up are answered with.
        self._leaving: VirtError | None = None
        self._streams = Streams(self)
        self._calls: set[Call] = set()

    def join(self) -> None:
        """Become one of the driver's clients; VirtError if it does not serve the URI."""
        if self._joined:
            return
        self.driver.check_uri(self.uri)
        self.driver.subscribers.join(self._event)
        self._joined = True

    # The session's side

    @property
    def owed(self) -> int:
        """How many calls the driver's methods are busy with."""
        return len(self._running)

    @property
    def name(self) -> str:
        """The driver's name."""
        return f"driver {self.driver.name}"

    def owed_calls(self) -> Iterator[Frame]:
        """Yield the calls that its methods are busy with, the newest first."""
        yield from reversed(self._running.values())

    async def open(self) -> None:
        """Start the driver if nobody has, and join it or the one that it gives this client. VirtError."""
        await self.driver.ready()
        try:
            serving = await self.driver.serving(self.uri, self.identity)
        except HangUp as wish:
            self.client.hang_up(str(wish))
            raise internal(str(wish), self.driver.error_domain) from None
        if not (self._closed or self._joined):
            self.driver = serving
            self.join()

    async def set_identity(self, identity: Identity) -> None:
        """The client speaks for `identity` from now on."""
        self.identity = identity

    def call(self, frame: Frame) -> None:
        """Serve one call and answer it."""
        if self._closed:
            return
        answering = self._answer(frame)
        try:
            # Most methods wait for nothing: then there is nothing to keep.
            waiting = answering.send(None)
        except StopIteration:
            return
        running = Deferred.fromCoroutine(rest_of(answering, waiting))
        self._running[running] = frame
        running.addBoth(self._ended, running)

    def stream(self, frame: Frame) -> None:
        """Take a packet of a stream; one of no stream is dropped."""
        self._streams.take(frame)

    def passage(self, head: Frame) -> Sink | None:
        """Take every packet whole."""
        return None

    def pause(self) -> None:
        """Hold events and streams back until `resume`; replies are bounded by the calls that may be in flight."""
        self._paused = True
        self._streams.pause()

    def resume(self) -> None:
        """Let go what waited."""
        self._paused = False
        while self._waiting and not self._paused:
            frame = self._waiting.popleft()
            self._waiting_size -= len(frame.raw)
            self.client.send(frame)
        if not self._paused:
            self._streams.resume()

    def close(self, error: VirtError | None = None) -> None:
        """Forget the client: cancel its calls, answered with `error` if there is one, and drop its registrations."""
        if self._closed:
            return
        self._closed = True
        self._leaving = error
        self._waiting.clear()
        for call in self._calls:
            call.cancelled = True
        self._streams.close()
        for running in list(self._running):
            running.cancel()
        if self._joined:
            self.driver.subscribers.leave(self._event)
            if not self.driver.subscribers:
                self.driver.last_client_left()

    # A call's way

    async def _answer(self, frame: Frame) -> None:
        try:
            reply = await self._serve(frame)
        except VirtError as error:
            reply = self._error(frame, error)
        except HangUp as wish:
            self.client.hang_up(str(wish))
            return
        except Exception:
            if not self._closed:
                self._log_failure(frame)
            detail = f"driver '{self.driver.name}' failed; its log has the details"
            reply = self._error(frame, internal(detail, self.driver.error_domain))
        if not self._closed:
            self.client.reply(reply, frame)
            self._streams.answered(frame, reply)
        elif self._leaving is not None:
            self.client.reply(self._error(frame, self._leaving), frame)

    def _log_failure(self, frame: Frame) -> None:
        _log.failure(
            "driver {name} failed in procedure {number}",
            name=self.driver.name,
            number=frame.procedure,
            client=self.client,
        )

    async def _serve(self, frame: Frame) -> Frame:
        try:
            procedure = find_procedure(frame)
            args = procedure.decode_args(frame)
        except (VirtError, WireError) as error:
            for fd in frame.fds:
                os.close(fd)
            raise error if isinstance(error, VirtError) else rpc(f"Unable to decode message payload: {error}") from None
        call = self._new_call(procedure, args, frame)
        self._calls.add(call)
        try:
            if procedure.stream is not None:
                call.open_stream(self._streams.new(procedure, frame, args))
            if not self._joined:
                await self.open()
            ret = await self._invoke(call, args)
        finally:
            self._calls.discard(call)
            if call.fds:
                call.close_fds()
        try:
            return procedure.reply_frame(frame.serial, fitted(procedure, args, ret))
        except (WireError, ValueError) as error:
            raise rpc(f"{procedure.name}: the result does not fit a reply: {error}") from None

    async def _invoke(self, call: Call, args: Any) -> Any:
        procedure = call.procedure
        check_room(procedure, args)
        method = self.driver.method(procedure)
        served = SERVED.get(procedure) or (DEFAULTS.get(procedure) if method is None else None)
        if served is not None:
            call.authorize_connection()
            return served(self, call, args)
        if method is None:
            raise no_support(procedure.api or procedure.name, error_domain(procedure))
        call.authorize_connection()
        ret = await method(call, args)
        call.check_complete()
        return ret

    def _new_call(self, procedure: Procedure[Any, Any], args: Any, frame: Frame) -> Call:
        return Call(
            procedure,
            args,
            driver=self.driver.name,
            error_domain=self.driver.error_domain,
            identity=self.identity,
            readonly=self.readonly,
            uri=self.uri,
            access=self.access,
            fds=frame.fds,
        )

    def _error(self, frame: Frame, error: VirtError) -> Frame:
        return error_frame(frame.program, frame.version, frame.procedure, frame.serial, error.to_net())

    def _ended(self, result: Any, running: Deferred[None]) -> None:
        self._running.pop(running, None)
        if result is not None and not result.check(CancelledError):
            _log.failure("a call of driver {name} was lost", failure=result, name=self.driver.name, client=self.client)

    # Events

    def _event(self, emission: Emission) -> None:
        frames = self.registrations.frames(emission)
        if frames and self._may_hear(emission.kind, emission.subject):
            for frame in frames:
                self._send(frame)

    def _may_hear(self, kind: EventKind, subject: Any) -> bool:
        if type(self.access) is EveryoneMay:
            return True
        for rule in rules_of(REGISTERS[kind.event_class].aclfilter):
            if not self.access.permits(self.identity, self.driver.name, rule.kind, rule.permission, subject):
                return False
        return True

    def _send(self, frame: Frame) -> None:
        if not self._paused:
            self.client.send(frame)
            return
        self._waiting.append(frame)
        self._waiting_size += len(frame.raw)
        if self._waiting_size > WAITING_MAX:
            self.close()
            self.client.backend_lost(self, internal("the client does not read its events"))


def find_procedure(frame: Frame) -> Procedure[Any, Any]:
    """The declaration of the procedure that `frame` calls; VirtError RPC if there is none, or it is an event."""
    program = PROGRAMS.get(frame.program)
    if program is None or program.version != frame.version:
        raise rpc(f"Cannot find program {frame.program} version {frame.version}")
    procedure = program.procedures.get(frame.procedure)
    if procedure is None or procedure.event:
        raise rpc(f"unknown procedure: {frame.procedure}")
    return procedure
