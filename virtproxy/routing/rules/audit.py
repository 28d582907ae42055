# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's stage: records a session's calls, logins and refusals before their answers leave the daemon.

``daemon.audit_log`` makes one a session, the outermost. What is recorded is in ``AuditRules``. Of plain calls it does
not ask for, it only hears when one fails. A line is built from pieces that are kept by session, procedure and
arguments: it is on the way of every call where everything is recorded.

It reads ``request.notes``: "things", a sequence of ``access.decision.Thing``, what the call is about as the daemon
that has it knows it; "decision", an ``access.decision.Decision``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from virtproxy import errors
from virtproxy.access.audit.arguments import described, has_secrets, scrubbed
from virtproxy.access.audit.recorder import Recorder
from virtproxy.access.audit.text import members_of, quoted, short, stamp, subject
from virtproxy.errors import VirtError
from virtproxy.protocol import programs, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.routing.answers import error_reply
from virtproxy.routing.families import daemon_of
from virtproxy.routing.stages import Request, Stage
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import ERROR, Frame
from virtproxy.wire.limits import PACKET_MIN

if TYPE_CHECKING:
    from virtproxy.access.decision import Decision
    from virtproxy.identity import Identity
    from virtproxy.routing.session import Session

Recorded = Literal["none", "denials", "writes", "all"]

DENIALS = frozenset(
    {
        ErrorCode.OPERATION_DENIED,
        ErrorCode.AUTH_FAILED,
        ErrorCode.AUTH_CANCELLED,
        ErrorCode.AUTH_UNAVAILABLE,
        ErrorCode.ACCESS_DENIED,
    }
)
# What the daemon answers itself; see routing.edge.
_OWN_EDGES = ("auth", "open", "close", "identity", "close-callback")
# A line without its arguments is shorter; a byte of them may become six.
_LINE, _GROWTH = 4096, 6
# What the arguments can add to a line that has documents by their digest.
_ARGUMENTS_MAX = 1024 * 1024
# Descriptions of small arguments without secrets, which come again and again.
_SMALL, _REMEMBERED_MAX = 256, 4096
_remembered: dict[tuple[Procedure[Any, Any], bytes], tuple[str, str]] = {}
# What rules say of call after call: texts by what they are of, which is compared by identity.
_SAID_MAX = 256


@dataclass(frozen=True, slots=True)
class AuditRules:
    """What is recorded, and whether calls whose record cannot be written are `refuse`d.

    `daemon` is our own name in the records; `whole`: documents are recorded to the letter, without their secrets.
    `synced`, if there is one, ends when what was recorded so far is on the disk; VirtError if it may not be.
    """

    daemon: str
    recorded: Recorded = "writes"
    refuse: bool = True
    whole: bool = False
    synced: Callable[[], Coroutine[Any, Any, None]] | None = None


class AuditStage(Stage):
    """Records what one client does."""

    def __init__(self, session: Session, rules: AuditRules, recorder: Recorder) -> None:
        self._session = session
        self._rules = rules
        self._recorder = recorder
        # Calls whose record is still to come: the room that it was promised.
        self._open: dict[Request, int] = {}
        # By procedure: the members that are the same for each of its calls.
        self._heads: dict[Procedure[Any, Any], str] = {}
        # By identity: something that a rule noted, and its text.
        self._said: dict[int, tuple[Any, str]] = {}
        self._connections = rules.recorded in ("writes", "all")
        self._who = self._who_of(session.identity)
        self._known = (session.identity, session.gate.authenticated)
        self._tell("connected", authenticated=session.gate.authenticated)

    # What it sees

    def profile(self) -> Recorded:
        return self._rules.recorded

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        if self._rules.recorded != "writes":
            return self._rules.recorded == "all"
        if procedure is remote.CONNECT_OPEN or procedure.edge == "identity":
            return True
        if not procedure.needs_auth:
            return procedure is not remote.AUTH_LIST
        return procedure.readonly.kind != "allowed"

    def watches(self) -> bool:
        return self._rules.recorded != "none"

    def refresh(self) -> None:
        self._heads.clear()
        before, now = self._known, (self._session.identity, self._session.gate.authenticated)
        if now != before:
            self._known = now
            self._who = self._who_of(now[0])
            self._tell("authenticated" if now[1] and not before[1] else "identity")

    def close(self) -> None:
        for request in list(self._open):
            self._recorder.fulfil(self._open.pop(request))
            self._recorder.record(self._line(request, '"result":"unanswered",', 0))
        self._tell("disconnected")

    # Calls

    def call(self, request: Request) -> None:
        if self._rules.recorded == "writes" and not self._is_write(request):
            return
        size = 0
        if self._rules.refuse:
            size = _LINE + self._growth(len(request.frame.raw))
            problem = self._recorder.promise(size)
            if problem is not None:
                self._recorder.refused()
                request.notes["audit"] = "refused"
                raise errors.internal(f"the audit log cannot be written, so the call was not carried out: {problem}")
        self._open[request] = size

    def _growth(self, received: int) -> int:
        longest = _GROWTH * received
        return longest if self._rules.whole or longest < _ARGUMENTS_MAX else _ARGUMENTS_MAX

    @staticmethod
    def _is_write(request: Request) -> bool:
        """Whether a read-only connection may not do this; broken arguments are recorded too."""
        rule = request.procedure.readonly
        if rule.kind not in ("flags", "field"):
            return True
        try:
            return rule.denies(request.args)
        except VirtError:
            return True

    def reply(self, request: Request, frame: Frame) -> Frame | Coroutine[Any, Any, Frame]:
        size = self._open.pop(request, None)
        if size is None:
            return frame
        if frame.status == ERROR or request.notes:
            line = self._line(request, self._verdict(request, frame), len(frame.raw))
            request.notes["audit"] = "recorded"
        else:
            line = self._line(request, '"result":"ok",', len(frame.raw))
        written = self._recorder.record(line)
        if size:
            self._recorder.fulfil(size)
            if not written:
                return self._unrecorded(frame, self._recorder.problem or "")
        if self._rules.synced is None or request.procedure.stream is not None or request.procedure.edge == "close":
            # A stream's packets and the goodbye follow their answer at once: it must not come after them.
            return frame
        return self._when_synced(frame)

    async def _when_synced(self, frame: Frame) -> Frame:
        assert self._rules.synced is not None
        try:
            await self._rules.synced()
        except VirtError as error:
            return self._unrecorded(frame, str(error))
        return frame

    def _unrecorded(self, frame: Frame, problem: str) -> Frame:
        """What the client gets when the disk failed in the middle of a call: the truth."""
        if frame.status == ERROR or not self._rules.refuse:
            return frame
        self._session.client.discard(frame)
        text = f"the call was carried out, but its record is not in the audit log yet: {problem}"
        return error_reply(frame, errors.internal(text))

    def outcome(self, call: Frame, frame: Frame, request: Request | None) -> Coroutine[Any, Any, None] | None:
        if request is not None and "audit" in request.notes:
            return None
        if not self._is_denial(frame, request):
            return None
        if request is None:
            self._recorder.record(self._failed_call(call, frame))
        else:
            verdict = self._verdict(request, frame)
            self._recorder.record(self._line(request, verdict, len(frame.raw)))
        if self._rules.synced is None or _says_absent(frame, request):
            return None
        return self._rules.synced()

    def _is_denial(self, frame: Frame, request: Request | None) -> bool:
        if request is not None and request.was_questioned:
            return True
        if frame.status != ERROR:
            return False
        if self._rules.recorded == "all" or not self._session.gate.authenticated:
            return True
        return _code(frame) in DENIALS

    # Lines

    def _line(self, request: Request, verdict: str, sent: int) -> str:
        procedure, frame = request.procedure, request.frame
        now = self._session.router.reactor.seconds()
        head = self._heads.get(procedure) or self._head(procedure)
        backend = f'"backend_ms":{(request.returned - request.forwarded) * 1e3:.3f},' if request.returned else ""
        return (
            f'"time":"{stamp(now)}",{head}"serial":{frame.serial},{self._arguments(request)}{verdict}'
            f'"ms":{(now - request.started) * 1e3:.3f},{backend}"received":{len(frame.raw)},"sent":{sent}'
        )

    def _head(self, procedure: Procedure[Any, Any]) -> str:
        """Who, which daemon, which procedure."""
        target = None if procedure.edge in _OWN_EDGES else self._session.target_of(procedure.family)
        ours = target is None or target.driver in self._session.router.local
        parts = members_of(
            (
                ("daemon", self._rules.daemon if ours or target is None else daemon_of(target.driver)),
                ("driver", None if target is None else target.driver),
                ("uri", None if target is None else target.uri),
                ("program", procedure.program.name),
                ("procedure", procedure.name),
            )
        )
        event = "call" if procedure.needs_auth or procedure is remote.AUTH_LIST else "login"
        head = self._heads[procedure] = f'"event":"{event}",{self._who}{parts},'
        return head

    def _who_of(self, identity: Identity) -> str:
        return f'"client":{self._session.number},{subject(identity)},'

    def _arguments(self, request: Request) -> str:
        """The members about the arguments, each with its comma."""
        raw, procedure = request.frame.raw, request.procedure
        if len(raw) > _SMALL:
            about, args = self._described(request)
        else:
            key = (procedure, raw[PACKET_MIN:])
            about, args = _remembered.get(key) or self._remember(key, request)
        things = request.notes.get("things") if request.notes else None
        return (self._once(things, _things) if things else about) + args

    def _remember(self, key: tuple[Procedure[Any, Any], bytes], request: Request) -> tuple[str, str]:
        members = self._described(request)
        if not has_secrets(request.procedure):
            if len(_remembered) >= _REMEMBERED_MAX:
                _remembered.clear()
            _remembered[key] = members
        return members

    def _described(self, request: Request) -> tuple[str, str]:
        try:
            return described(request.procedure, request.args, whole=self._rules.whole).members()
        except VirtError:
            return "", '"args":{"undecodable":true},'

    def _once(self, thing: Any, text_of: Callable[[Any], str]) -> str:
        """The text of something that rules keep and note again and again."""
        known = self._said.get(id(thing))
        if known is None or known[0] is not thing:
            if len(self._said) >= _SAID_MAX:
                self._said.clear()
            known = self._said[id(thing)] = (thing, text_of(thing))
        return known[1]

    def _verdict(self, request: Request, frame: Frame) -> str:
        decision: Decision | None = request.notes.get("decision")
        text = "" if decision is None else self._once(decision, _decision)
        if frame.status != ERROR:
            return f'{text}"result":"ok",'
        if decision is None and _code(frame) in DENIALS:
            by = "backend" if request.admitted and request.procedure.edge not in _OWN_EDGES else self._rules.daemon
            text = f'"decision":"denied","by":"{by}",'
        text += self._why(request.procedure)
        return f'{text}"result":"error",{_error(frame, _secrets(request.procedure, request.frame))}'

    def _why(self, procedure: Procedure[Any, Any]) -> str:
        """Why a login failed: libvirt never tells that to a client, but the record may have it."""
        why = None if procedure.needs_auth else self._session.login_refusal
        return "" if why is None else f'"reason":{short(why)},'

    def _failed_call(self, call: Frame, frame: Frame) -> str:
        """The line of a call that no stage saw."""
        program = programs.BY_NUMBER.get(call.program)
        procedure = None if program is None else program.procedures.get(call.procedure)
        if procedure is None or procedure.event:
            head = f'"event":"call",{self._who}"program":{call.program},"procedure":"{call.procedure}",'
            arguments, secrets = "", list[str]()
        else:
            seen = Request(self._session, call, procedure, 0.0)
            head = self._heads.get(procedure) or self._head(procedure)
            arguments, secrets = self._arguments(seen) + self._why(procedure), _secrets(procedure, call)
        now = self._session.router.reactor.seconds()
        denied = '"decision":"denied",' if _code(frame) in DENIALS or not self._session.gate.authenticated else ""
        return (
            f'"time":"{stamp(now)}",{head}"serial":{call.serial},{arguments}{denied}"result":"error",'
            f'{_error(frame, secrets)}"received":{len(call.raw)},"sent":{len(frame.raw)}'
        )

    def _tell(self, event: str, **more: object) -> None:
        """A record of the connection itself."""
        if self._connections:
            now = stamp(self._session.router.reactor.seconds())
            rest = "".join(f",{pair}" for pair in (members_of(more.items()),) if pair)
            self._recorder.record(f'"time":"{now}","event":"{event}",{self._who[:-1]}{rest}')


def _secrets(procedure: Procedure[Any, Any], call: Frame) -> list[str]:
    if not has_secrets(procedure):
        return []
    try:
        return described(procedure, procedure.decode_args(call)).secrets
    except WireError:
        return []


def _decision(decision: Decision) -> str:
    if decision.granted and decision.pretended:
        word = "would deny"
    else:
        word = "granted" if decision.granted else "denied"
    pairs = (("decision", word), ("rule", decision.rule or None), ("missing", decision.missing or None))
    return members_of(pairs) + ","


def _things(things: Any) -> str:
    return f'"objects":[{",".join(map(_thing, things))}],'


def _thing(thing: Any) -> str:
    pairs = (("kind", thing.kind), ("name", thing.name), ("uuid", thing.uuid), ("owner", thing.owner))
    return f"{{{members_of(pairs)}}}"


def _code(frame: Frame) -> int:
    """The code of an error reply, without the rest of it; 0 of anything else."""
    return int.from_bytes(frame.raw[PACKET_MIN : PACKET_MIN + 4], "big") if frame.status == ERROR else 0


def _says_absent(frame: Frame, request: Request | None) -> bool:
    """Whether a rule hides something: the answer comes as fast as where there is nothing, and so no record."""
    return request is not None and request.was_questioned and frame.status == ERROR and _code(frame) not in DENIALS


def _error(frame: Frame, secrets: list[str]) -> str:
    try:
        error = decode_error(frame)
    except WireError:
        return '"error":{"undecodable":true},'
    name = ErrorCode(error.code).name if error.code in ErrorCode._value2member_map_ else None
    message = scrubbed(error.message or "", secrets)
    label = "" if name is None else f'"name":{quoted(name)},'
    return f'"error":{{"code":{error.code},{label}"domain":{error.domain},"message":{short(message)}}},'
