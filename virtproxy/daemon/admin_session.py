# SPDX-License-Identifier: LGPL-2.1-or-later
"""One administrator's connection: finds who answers a call among the programs of the admin socket.

``admin`` makes one for each client of that socket. What the calls do is not known here: a program is its declaration
and a function for each procedure. It must not decide who may come in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import admin
from virtproxy.protocol.schema import Procedure, Program
from virtproxy.routing.answers import error_reply
from virtproxy.rpc.server import ServerConnection
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import OK, Frame
from virtproxy.wire.framer import Sink

# Takes the arguments of a call and returns its result, both as declared; raises VirtError to refuse it.
Answer = Callable[[Any], Awaitable[Any]]
# What the admin socket speaks: by program number, the declaration and who answers each procedure.
Programs = Mapping[int, tuple[Program, Mapping[Procedure[Any, Any], Answer]]]
# Is told of each answered call: number and identity of the client, procedure, arguments, and the error if any.
Witness = Callable[[int, Identity, Procedure[Any, Any], Any, VirtError | None], None]


def nobody(number: int, who: Identity, procedure: Procedure[Any, Any], args: Any, error: VirtError | None) -> None:
    """The witness of a daemon that keeps no audit."""


class AdminSession:
    """Answers the calls of one administrator; implements rpc.server.ServerSession."""

    _log = Logger()

    def __init__(
        self, client: ServerConnection, programs: Programs, identity: Identity, number: int, witness: Witness = nobody
    ) -> None:
        self.client = client
        self.identity = identity
        self.number = number
        # There is no opening for reading only.
        self.flags = 0
        # Every call is of use to somebody.
        self.passed_on = 0
        self._programs = programs
        self._witness = witness
        self._under_way: set[Deferred[None]] = set()

    def call(self, frame: Frame) -> None:
        """Answer a call, now or when its answer is there."""
        self.passed_on += 1
        self.client.discard(frame)  # no call here takes descriptors
        answering = Deferred.fromCoroutine(self._answer(frame))
        self._under_way.add(answering)
        answering.addErrback(self._failed, frame)
        answering.addBoth(lambda _: self._under_way.discard(answering))

    async def _answer(self, frame: Frame) -> None:
        procedure, answer = self._found(frame)
        try:
            args = procedure.decode_args(frame)
        except WireError as failure:
            raise errors.rpc(f"Unable to decode message payload: {failure}") from None
        try:
            result = await answer(args)
        except VirtError as error:
            self._witness(self.number, self.identity, procedure, args, error)
            raise
        self._witness(self.number, self.identity, procedure, args, None)
        try:
            reply = procedure.reply_frame(frame.serial, result)
        except (WireError, ValueError) as failure:
            raise errors.rpc(f"Unable to encode message payload: {failure}") from None
        self.client.reply(reply)
        if procedure is admin.CONNECT_CLOSE:
            self.client.close("the client closed the connection")

    def _found(self, frame: Frame) -> tuple[Procedure[Any, Any], Answer]:
        program, answers = self._programs.get(frame.program, (None, {}))
        if program is None or program.version != frame.version:
            raise errors.rpc(f"Cannot find program {frame.program} version {frame.version}")
        if frame.status != OK:
            raise errors.rpc(f"Unexpected message status {frame.status}")
        procedure = program.procedures.get(frame.procedure)
        if procedure is None or procedure not in answers:
            raise errors.rpc(f"unknown procedure: {frame.procedure}")
        return procedure, answers[procedure]

    def _failed(self, failure: Failure, frame: Frame) -> None:
        error = failure.value
        if isinstance(error, CancelledError):
            return
        if not isinstance(error, VirtError):
            self._log.failure("an administrator's call could not be answered", failure, client=self)
            error = errors.internal("the daemon could not answer this call; its log says why")
        self.client.reply(error_reply(frame, error))

    def lane(self, frame: Frame) -> int | None:
        """All calls wait in one lane."""
        return None

    def has_room(self, lane: int | None, most: int) -> bool:
        """What is over the limit waits."""
        return False

    def stream(self, frame: Frame) -> None:
        """There are no streams here: their packets are dropped."""
        self.client.discard(frame)

    def passage(self, head: Frame) -> Sink | None:
        """There are no streams here."""
        return None

    def client_full(self) -> None:
        """It gets what it asked for and nothing else: no more is produced as it asks no more."""

    def client_drained(self) -> None:
        """The client reads again."""

    def client_lost(self, reason: str) -> None:
        """Nobody waits for what is under way."""
        for answering in list(self._under_way):
            answering.cancel()
