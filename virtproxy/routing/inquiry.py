# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection to a backend that is the daemon's own: it asks as itself, for no client.

The directory has one for each daemon that it knows things of. It is opened when something is asked and again after
it was lost. Each question has a time limit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.auth.peercred import process_start_time
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.answers import hand_over
from virtproxy.routing.backend import Backend
from virtproxy.routing.families import Target
from virtproxy.routing.router import Router
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.codec import Struct
from virtproxy.wire.frame import MESSAGE, Frame
from virtproxy.wire.framer import Piece

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
# How long a daemon may take to say what one thing is, in seconds.
ASK_SECONDS = 10.0


def own_identity() -> Identity:
    """Who this process is: a daemon with access rules of its own wants to know."""
    pid = os.getpid()
    return Identity(uid=os.geteuid(), gid=os.getegid(), pid=pid, process_start_time=process_start_time(pid))


class Inquiry:
    """Implements `routing.backend.BackendClient`.

    `opened` is run after each opening, before other questions; `heard` gets each event, `lost` is called when what
    was learned may no longer hold. An answer may take `patience` seconds, 0 for ever; `flags` are those of the opening.
    `as_daemon`: it shows the token of this host's daemons.
    """

    _log = Logger()

    def __init__(
        self,
        router: Router,
        target: Target,
        opened: Callable[[], Coroutine[Any, Any, None]],
        heard: Callable[[Frame], None],
        lost: Callable[[], None],
        *,
        patience: float = ASK_SECONDS,
        flags: int = 0,
        as_daemon: bool = False,
    ) -> None:
        self._router = router
        self._target = target
        self._opened = opened
        self._heard = heard
        self._lost = lost
        self._patience = patience
        self._flags = flags
        self._as_daemon = as_daemon
        self._backend: Backend | None = None
        self._ready = False
        self._waiting: list[Deferred[None]] | None = None
        self._serials = count(1)
        self._asked: dict[int, tuple[Procedure[Any, Any], Deferred[Any], IDelayedCall | None]] = {}
        self._closed = False

    async def ask(self, procedure: Procedure[A, R], args: A) -> R:
        """Call a procedure and return its result; VirtError as the daemon says it, or that it does not answer."""
        if not self._ready:
            await self._turn()
        return await self.put(procedure, args)

    def put(self, procedure: Procedure[A, R], args: A) -> Deferred[R]:
        """The same over a connection that is open, as `opened` does."""
        answer: Deferred[R] = Deferred()
        if self._backend is None:
            answer.errback(errors.internal("the connection was lost"))
            return answer
        serial = next(self._serials) & 0x7FFFFFFF
        timer = None
        if self._patience:
            timer = self._router.reactor.callLater(self._patience, self._late, serial)
        self._asked[serial] = (procedure, answer, timer)
        self._backend.call(procedure.call_frame(serial, args))
        return answer

    def close(self) -> None:
        """Leave the daemon; what is outstanding fails."""
        self._closed = True
        self._drop(errors.internal("the daemon stops asking"))

    def _turn(self) -> Deferred[None]:
        """Fires when the daemon is open. The opening is nobody's own: who asked first may leave before the others."""
        turn: Deferred[None] = Deferred()
        if self._waiting is not None:
            self._waiting.append(turn)
        else:
            self._waiting = [turn]
            ensureDeferred(self._open())
        return turn

    async def _open(self) -> None:
        try:
            await self._open_now()
        except Exception as error:
            self._drop(error if isinstance(error, VirtError) else errors.internal("a daemon could not be asked"))
            self._release(error)
        else:
            self._ready = True
            self._release(None)

    async def _open_now(self) -> None:
        self._closed = False
        token = self._router.token if self._as_daemon else None
        identity = replace(own_identity(), system_token=None if token is None else token.text())
        self._backend = self._router.backend(self._target, self._flags, identity, self, comes_back=False)
        await self._backend.open()
        if self._closed:
            raise errors.internal("the daemon stops asking")
        await self._opened()

    def _release(self, error: Exception | None) -> None:
        waiting, self._waiting = self._waiting or [], None
        for turn in waiting:
            if error is None:
                turn.callback(None)
            else:
                turn.errback(Failure(error))

    def _late(self, serial: int) -> None:
        _, answer, _ = self._asked.pop(serial)
        detail = f"the {self._target.driver} driver's daemon did not answer in time"
        answer.errback(VirtError.of(ErrorCode.OPERATION_TIMEOUT, detail, domain=ErrorDomain.RPC))

    def _drop(self, error: VirtError) -> None:
        backend, self._backend = self._backend, None
        self._ready = False
        if backend is not None:
            backend.close()
        asked, self._asked = self._asked, {}
        for _, answer, timer in asked.values():
            if timer is not None:
                timer.cancel()
            answer.errback(error)
        self._lost()

    # BackendClient

    def reply(self, frame: Frame, call: Frame | None = None) -> None:
        """An answer to one question."""
        procedure, answer, timer = self._asked.pop(frame.serial, (None, None, None))
        ClientConnection.discard(frame)
        if procedure is None or answer is None:
            return
        if timer is not None:
            timer.cancel()
        hand_over(frame, procedure, answer)

    def send(self, frame: Frame) -> None:
        """An event; streams are never opened here."""
        if frame.type == MESSAGE:
            self._heard(frame)

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Nothing opens streams here."""

    def backend_full(self, backend: Backend) -> None:
        """The daemon does not read: questions are few, and have their time limit."""

    def backend_drained(self, backend: Backend) -> None:
        """The daemon reads again."""

    def backend_away(self, backend: Backend, error: VirtError) -> bool:
        """It is not to come back by itself: after each opening there is something to ask first."""
        self.backend_lost(backend, error)
        return False

    def backend_lost(self, backend: Backend, error: VirtError, *, deaf: bool = False) -> None:
        """Nothing more is heard: what was learned is forgotten, the next question opens the connection anew."""
        if backend is self._backend:
            self._drop(error)

    def backend_deaf(self, backend: Backend) -> None:
        """It never comes back by itself."""

    def hang_up(self, why: str) -> None:
        """The driver wants no more of this: the question fails, as when a daemon is lost."""
        if self._backend is not None:
            self._drop(errors.internal(why))
