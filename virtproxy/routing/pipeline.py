# SPDX-License-Identifier: LGPL-2.1-or-later
"""Leads one session's calls, replies and events through its stages.

The session gives it what is not plain; what comes out goes on to the edge or a backend, or is refused. A stage may
think for a while: the call then waits here, with the packets of its stream, and other calls pass it. Nothing here
knows what a stage is about.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.routing.answers import error_reply, hand_over
from virtproxy.routing.event_line import EventLine
from virtproxy.routing.plain import plain_for
from virtproxy.routing.procedures import PLAIN, Key
from virtproxy.routing.stages import Request, Stage, StageMaker
from virtproxy.wire.codec import Struct
from virtproxy.wire.frame import ERROR, Frame

if TYPE_CHECKING:
    from virtproxy.routing.backend import Backend
    from virtproxy.routing.session import Session

A = TypeVar("A", bound=Struct | None)
R = TypeVar("R", bound=Struct | None)
# The serials of calls that stages make in the client's name are from here on; no client gets so far.
ASKED_SERIALS = 0xFFFE0000
# What the edge answers itself, whatever becomes of the backends.
_OWN = ("auth", "open", "close", "identity")
# A procedure, the stages that see it, the index of its family.
Way = tuple[Procedure[Any, Any], list[Stage], int]
_log = Logger()


class Pipeline:
    """The stages of one session, and the requests that are in them."""

    def __init__(self, session: Session, makers: Sequence[StageMaker]) -> None:
        self._session = session
        self._stages: list[Stage] = [make(session) for make in makers]
        # Calls that would be plain but for the stages that see them: what they are, and where they go.
        self.ways: dict[Key, Way] = {}
        # By procedure: the stages that want to see it.
        self._seeing: dict[Procedure[Any, Any], list[Stage]] = {}
        self.requests: dict[Key, Request] = {}
        # Calls of the stages' own, made in the client's name.
        self.asked: dict[Key, tuple[Procedure[Any, Any], Deferred[Any]]] = {}
        self._serials = count(ASKED_SERIALS)
        self._thinking: set[Deferred[Any]] = set()
        self.events = EventLine(session, self._stages, self._think)
        self._closed = False
        self.plain: Mapping[Key, int] = PLAIN
        self.filters_events = False
        # The stages that are told of errors.
        self.watchers: list[Stage] = []
        self.refresh()

    def refresh(self) -> None:
        """Ask the stages anew what they want to see."""
        for stage in self._stages:
            stage.refresh()
        self._seeing.clear()
        self.ways.clear()
        self.plain = plain_for(self._stages)
        self.filters_events = any(stage.filters_events() for stage in self._stages)
        self.watchers = [stage for stage in self._stages if stage.watches()]

    def close(self) -> None:
        """The client is gone: nobody waits for anything any more."""
        self._closed = True
        for thinking in list(self._thinking):
            thinking.cancel()
        for request in list(self.requests.values()):
            self._drop(request)
            self._forget(request)
        self.asked.clear()
        self.events.clear()
        for stage in self._stages:
            stage.close()

    def abandon(self, error: VirtError) -> None:
        """The backends are given up though the client stays: what they owe, or would get, is answered with `error`.

        What was judged for one place must not go on to another that is opened next, nor count as under way for ever.
        """
        for thinking in list(self._thinking):
            thinking.cancel()
        for request in list(self.requests.values()):
            if request.procedure.edge in _OWN or not request.admitted:
                continue
            if request.answered:
                self._forget(request)
            else:
                request.answered = True
                self._answer(request, error_reply(request.frame, error), early=False)
        self.asked.clear()
        self.events.clear()

    # Calls

    def take(self, frame: Frame, procedure: Procedure[Any, Any]) -> None:
        """Lead a call through the stages that want to see it; VirtError if it cannot be told from another."""
        stages = self._seeing.get(procedure)
        if stages is None:
            stages = self._seeing[procedure] = [stage for stage in self._stages if stage.sees(procedure)]
            family = PLAIN.get((frame.program, frame.version, frame.procedure))
            if stages and family is not None:
                self.ways[frame.program, frame.version, frame.procedure] = (procedure, stages, family)
        if not stages:
            self._session.admitted(frame, procedure)
            return
        key = _key(frame)
        if key in self.requests:
            raise errors.rpc("the serial is in use")
        request = Request(self._session, frame, procedure, self._session.router.reactor.seconds())
        self.requests[key] = request
        self._ask(request, iter(stages))

    def lead(self, frame: Frame, way: Way, backend: Backend) -> None:
        """What `take` does, of a call that went this way before: the short form of nearly every call that is seen."""
        key = (frame.program, frame.procedure, frame.serial)
        if key in self.requests:
            raise errors.rpc("the serial is in use")
        request = self.requests[key] = Request(self._session, frame, way[0], self._session.router.reactor.seconds())
        self._ask(request, iter(way[1]), backend)

    def _ask(self, request: Request, stages: Any, backend: Backend | None = None) -> None:
        try:
            for stage in stages:
                request.passed.append(stage)
                thought = stage.call(request)
                if thought is not None:
                    self._wait(request, thought, stages)
                    return
            if not request.answered:
                self._admit(request, backend)
            else:
                self._drop(request)
                self._forget(request)
        except Exception as error:
            self._refuse(request, error)

    def _wait(self, request: Request, thought: Coroutine[Any, Any, None], stages: Any) -> None:
        if request.procedure.edge == "open":
            self._session.opening = True
        self._think(thought, lambda _: self._ask(request, stages), lambda error: self._refuse(request, error))

    def _admit(self, request: Request, backend: Backend | None) -> None:
        request.admitted = True
        if len(self._stages) > 1:
            request.forwarded = self._session.router.reactor.seconds()
        if backend is not None:
            backend.call(request.frame)
            return
        self._session.admitted(request.frame, request.procedure)
        if request.held:
            held, request.held = request.held, []
            for packet in held:
                self._session.stream(packet)
            self._session.client.release(request)

    def _refuse(self, request: Request, error: Exception) -> None:
        if self._closed:
            return
        if not isinstance(error, VirtError):
            name = request.procedure.name
            _log.failure("a rule failed in {name}", failure=Failure(error), name=name, client=self._session)
            error = errors.internal("a rule of the daemon failed; its log says why")
        self._session.router.refusals[_rule(request)] += 1
        self._drop(request)
        if not request.answered:
            self._session.refuse(request.frame, error)
        else:
            self._forget(request)
        if request.procedure.edge == "open" and self._session.opening:
            self._session.opened()

    def _drop(self, request: Request) -> None:
        held, request.held = request.held, []
        for packet in held:
            self._session.client.discard(packet)
        if not request.admitted:
            self._session.client.discard(request.frame)
        self._session.client.release(request)

    def _forget(self, request: Request) -> None:
        """Nobody owes an answer to this call any more."""
        key = _key(request.frame)
        if self.requests.get(key) is request:
            del self.requests[key]
        if request.when_done:
            done, request.when_done = request.when_done, []
            for callback in done:
                callback()

    def thinking_of(self, family: Family) -> int:
        """How many calls of a family have not been let pass yet."""
        return sum(not request.admitted and request.procedure.family is family for request in self.requests.values())

    def holds(self, frame: Frame) -> bool:
        """Whether a stream packet was taken because its call is still being thought about.

        Few clients send one before they have an answer; who does is not read from until it has.
        """
        request = self.requests.get(_key(frame)) if self.requests else None
        if request is None or request.admitted or request.answered or request.procedure.stream is None:
            return False
        request.held.append(frame)
        self._session.client.hold(request)
        return True

    # What stages do themselves

    def ask(self, procedure: Procedure[A, R], args: A) -> Deferred[R]:
        """Make a call in the client's name whose answer a stage wants; it passes no stage. VirtError as the daemon's.

        Raises VirtError if nobody serves it.
        """
        frame = procedure.call_frame(next(self._serials) % 0x10000 + ASKED_SERIALS, args)
        if _key(frame) in self.asked:
            raise errors.rpc("the serial is in use")
        answer: Deferred[R] = Deferred()
        self.asked[_key(frame)] = (procedure, answer)
        try:
            self._session.forward(frame, procedure)
        except VirtError:
            del self.asked[_key(frame)]
            raise
        return answer

    def serve(self, request: Request, frame: Frame) -> None:
        """Answer a call in the place of its backend, which does not get it."""
        if not request.answered and not self._closed:
            request.answered = True
            self._answer(request, frame, early=False)

    # Replies

    def replied(self, frame: Frame) -> bool:
        """Whether this reply is the pipeline's to deliver: its call was seen by a stage, or made by one."""
        asked = self.asked.pop(_key(frame), None) if self.asked else None
        if asked is not None:
            self._session.client.discard(frame)
            hand_over(frame, *asked)
            return True
        request = self.requests.get(_key(frame))
        if request is None:
            return False
        if request.answered:
            self._forget(request)
            self._session.client.discard(frame)
            if request.settled is not None and request.procedure.stream is not None and frame.status != ERROR:
                self._session.abandon(request.frame, request.procedure, request.settled)
        else:
            request.answered = True
            if request.forwarded:
                request.returned = self._session.router.reactor.seconds()
            self._answer(request, frame, early=False)
        return True

    def settle(self, request: Request, error: VirtError) -> None:
        """Answer a call with `error` before its backend does; what that says later is dropped."""
        if not request.answered and not self._closed:
            request.answered = True
            request.settled = error
            if request.procedure.stream is not None:
                self._session.forget_stream(request.frame)
            self._answer(request, error_reply(request.frame, error), early=True)

    def _answer(self, request: Request, frame: Frame, *, early: bool) -> None:
        try:
            while request.passed:
                changed = request.passed.pop().reply(request, frame)
                if not isinstance(changed, Frame):
                    self._think_of_reply(request, frame, changed, early)
                    return
                frame = changed
        except Exception as error:
            self._failed_reply(request, frame, error, early)
            return
        if not early:
            self._forget(request)
        if self.watchers and (frame.status == ERROR or request.was_questioned):
            self.deliver(request.frame, frame, request)
        else:
            self._session.client.reply(frame)

    def deliver(self, call: Frame, frame: Frame, request: Request | None = None) -> None:
        """Give the client an answer once the stages that watch have taken note of it."""
        self._tell(call, frame, request, iter(self.watchers))

    def _tell(self, call: Frame, frame: Frame, request: Request | None, watchers: Any) -> None:
        def untold(error: Exception) -> None:
            # A stage that only watches holds nothing up.
            _log.failure("a rule failed on an outcome", failure=Failure(error), client=self._session)
            self._tell(call, frame, request, watchers)

        try:
            for stage in watchers:
                thought = stage.outcome(call, frame, request)
                if thought is not None:
                    self._think(thought, lambda _: self._tell(call, frame, request, watchers), untold)
                    return
        except Exception as error:
            untold(error)
            return
        self._session.client.reply(frame)

    def _think_of_reply(self, request: Request, frame: Frame, thought: Coroutine[Any, Any, Frame], early: bool) -> None:
        self._think(
            thought,
            lambda better: self._answer(request, better, early=early),
            lambda error: self._failed_reply(request, frame, error, early),
        )

    def _failed_reply(self, request: Request, frame: Frame, error: Exception, early: bool) -> None:
        """A stage could not say what of a reply may be seen: nothing of it may."""
        if self._closed:
            return
        if not isinstance(error, VirtError):
            name = request.procedure.name
            _log.failure("a rule failed on a reply of {name}", failure=Failure(error), name=name, client=self._session)
            error = errors.internal("a rule of the daemon failed; its log says why")
        self._session.client.discard(frame)
        self._answer(request, error_reply(frame, error), early=early)

    # Thinking

    def _think(self, thought: Coroutine[Any, Any, Any], then: Any, failed: Any) -> None:
        deferred = ensureDeferred(thought)
        self._thinking.add(deferred)

        def done(result: Any) -> None:
            self._thinking.discard(deferred)
            if self._closed:
                return
            if not isinstance(result, Failure):
                then(result)
            elif not result.check(CancelledError):
                failed(result.value)
            else:
                failed(errors.internal("the call was given up"))

        deferred.addBoth(done)
        deferred.addErrback(
            lambda failure: _log.failure("a stage broke the pipeline", failure=failure, client=self._session)
        )


def _rule(request: Request) -> str:
    """What refused a call: the module of the stage that saw it last."""
    return type(request.passed[-1]).__module__.rpartition(".")[2] if request.passed else "pipeline"


def _key(frame: Frame) -> Key:
    return (frame.program, frame.procedure, frame.serial)
