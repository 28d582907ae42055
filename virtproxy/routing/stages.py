# SPDX-License-Identifier: LGPL-2.1-or-later
"""What stands between a client and whoever serves its calls: the seam for rules, limits and records.

A `Stage` sees the calls that it asks to see, their replies, and events if it wants them; it may refuse, change or
only note. The read-only gate, deadlines, access rules and the audit are stages; `pipeline.py` leads a call through
them. Calls that no stage wants to see never come here, so that a rule costs nothing where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol.schema import Procedure
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import Frame

if TYPE_CHECKING:
    from virtproxy.identity import Identity
    from virtproxy.routing.session import Session

_UNDECODED: Any = object()


class Request:
    """One call on its way through the stages, and until it is answered.

    `frame` is what the backend will get; a stage may put another one in its place. `notes` is where stages leave what
    later ones (the audit) need: each key belongs to the stage that documents it. `started` is the reactor's clock,
    and so are `forwarded` and `returned`, when whoever serves the call got and answered it; 0 where nothing else
    takes time.
    """

    __slots__ = (
        "_args", "admitted", "answered", "forwarded", "frame", "held", "notes", "passed", "procedure", "returned",
        "session", "settled", "started", "when_done",
    )  # fmt: skip

    def __init__(self, session: Session, frame: Frame, procedure: Procedure[Any, Any], started: float) -> None:
        self.session = session
        self.frame = frame
        self.procedure = procedure
        self.started = started
        self.notes: dict[str, Any] = {}
        # The stages that have seen the call, which will see its reply.
        self.passed: list[Stage] = []
        # Packets of the call's stream that came before it was admitted.
        self.held: list[Frame] = []
        # Every stage let it pass: its descriptors are somebody else's now.
        self.admitted = False
        self.forwarded = self.returned = 0.0
        # The client has its answer, or the stages are busy with it: what the backend still says is dropped.
        self.answered = False
        # The error that it was answered with before its backend had.
        self.settled: VirtError | None = None
        # Called once nobody owes an answer: the backend gave it, or never got the call, or the client left.
        self.when_done: list[Callable[[], None]] = []
        self._args = _UNDECODED

    @property
    def args(self) -> Any:
        """The decoded arguments, None for a procedure without; VirtError RPC if they are broken."""
        if self._args is _UNDECODED:
            try:
                self._args = self.procedure.decode_args(self.frame)
            except WireError as failure:
                raise errors.rpc(f"Unable to decode message payload: {failure}") from None
        return self._args

    @property
    def was_questioned(self) -> bool:
        """Whether a rule noted ("decision") that it refused the call, or would have."""
        decision = self.notes.get("decision") if self.notes else None
        return decision is not None and (decision.pretended or not decision.granted)

    def replace(self, args: Any) -> None:
        """Let the backend get these arguments instead; descriptors stay with the call."""
        self._args = args
        self.frame = self.procedure.call_frame(self.frame.serial, args, self.frame.fds)

    @property
    def identity(self) -> Identity:
        """Who is calling, as of now."""
        return self.session.identity


class Stage:
    """One session's part of a rule; a stage derives from it and overrides what it needs.

    A coroutine that a method returns is awaited before the call, reply or event goes on. Whatever other exception
    than VirtError it raises refuses the call as an internal error: a broken rule admits nobody.
    """

    def profile(self) -> Hashable:
        """A value that is equal where `sees` answers alike for every procedure; asked at each refresh."""
        return None

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        """Whether calls of `procedure` and their replies are shown to this stage."""
        return False

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Look at a call; VirtError refuses it. The client is authenticated."""
        return None

    def reply(self, request: Request, frame: Frame) -> Frame | Coroutine[Any, Any, Frame]:
        """The reply (or error reply, a refusal by a later stage too) as the client shall get it."""
        return frame

    def watches(self) -> bool:
        """Whether `outcome` is told of answers to calls that are not shown to this stage; asked at each refresh."""
        return False

    def outcome(self, call: Frame, frame: Frame, request: Request | None) -> Coroutine[Any, Any, None] | None:
        """The client is about to get this: an error, or what a rule questioned. Not to be changed.

        `request` is there if a stage saw the call. What is returned is awaited before the client gets it.
        """
        return None

    def filters_events(self) -> bool:
        """Whether events are shown to this stage; asked at each refresh."""
        return False

    def event(self, frame: Frame) -> Frame | Coroutine[Any, Any, Frame | None] | None:
        """The event as the client shall get it, or None if it shall not; order is kept."""
        return frame

    def refresh(self) -> None:
        """Something about the session changed: its identity, its flags, its URI, or the rules."""

    def close(self) -> None:
        """The session is over."""


# Makes a session's own stage; one a rule and daemon, in the order that calls pass.
StageMaker = Callable[["Session"], Stage]
