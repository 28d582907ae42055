# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stage that enforces access rules in front of any backend: a policy's, polkit's.

`daemon/rules.py` makes an `AccessRule` for each `Decider`. A session's `AccessStage` finds out what a call is about
(by the directory, never by what the client calls it), asks for each permission that the call's declaration names, and
refuses what is not granted. Under a policy (`hides`) a thing on which the caller lacks `getattr` is as good as absent;
without it the answers are those of libvirt's own access drivers.

It leaves in `Request.notes`: "things", the `Thing`s that the call is about, and "decision", the `Decision` that
counted: the refusal, or the last grant.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any

from virtproxy.access.decision import Decider, Thing
from virtproxy.access.objects import FAMILY_OF, About, about
from virtproxy.access.owners import Owners
from virtproxy.access.rules import Rule, rules_of
from virtproxy.access.stricter import STRICTER as _STRICTER
from virtproxy.access.things import Place, connection, place_of
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.directory import Directories, Known
from virtproxy.routing.rules import events, filters, guests, lookups, making, scrub
from virtproxy.routing.rules.judge import Case, Judge
from virtproxy.routing.rules.ownership import Ownership, ends
from virtproxy.routing.session import Session
from virtproxy.routing.stages import Request, Stage
from virtproxy.wire.frame import CALL, ERROR, Frame
from virtproxy.wire.limits import PACKET_MIN

# Calls with longer arguments than this are judged each time, in bytes.
REMEMBERED_SIZE = 512
# How many judgements a session remembers; then all are forgotten.
REMEMBERED_MAX = 4096

# What tells of guests though no rule of libvirt's is about them.
_TELLS_OF_GUESTS = frozenset(
    procedure
    for procedure in remote.PROGRAM.procedures.values()
    if procedure in (remote.NETWORK_GET_DHCP_LEASES, remote.NETWORK_GET_XML_DESC)
    or {"network_port", "nwfilter_binding"}
    & {rule.kind for rule in (*rules_of(procedure.acl), *rules_of(procedure.aclfilter))}
)

_After = Callable[[Frame], Coroutine[Any, Any, Frame]]


class Judgement:
    """A call that was granted: it need not be judged again for as long as what it rests on is true."""

    __slots__ = ("decision", "known", "things")

    def __init__(self, case: Case) -> None:
        self.known: tuple[Known, ...] = tuple(case.known)
        self.things = tuple(case.things)
        self.decision = case.decision

    def holds(self) -> bool:
        """Whether nothing changed."""
        return all(known.valid for known in self.known)


_Judged = dict[tuple[int, int, bytes], Judgement]


class AccessRule:
    """The rule of one decider, for all sessions of a daemon: a `StageMaker`."""

    def __init__(self, decider: Decider, *, hides: bool, owners: Owners | None = None) -> None:
        self.decider = decider
        self.hides = hides
        self.owners = owners
        self._ownership = None if owners is None else Ownership(owners)
        self._directories: Directories | None = None

    def __call__(self, session: Session) -> AccessStage:
        """The stage of one session."""
        judge = Judge(session, self.decider, self.directories_of(session), self.owners, self.hides)
        return AccessStage(judge, self._ownership)

    def directories_of(self, session: Session) -> Directories:
        """The directories of the daemon that the session belongs to, made with its first session."""
        if self._directories is None:
            self._directories = Directories(session.router, self._ownership)
        return self._directories


class AccessStage(Stage):
    """One session's part; see the module."""

    def __init__(self, judge: Judge, ownership: Ownership | None) -> None:
        self._judge = judge
        self._ownership = ownership
        self._session = judge.session
        self._sees: dict[Procedure[Any, Any], bool] = {}
        self._judged: _Judged = {}
        self._after: dict[Request, _After] = {}

    # What it wants to see

    def refresh(self) -> None:
        """Who calls or the rules changed: nothing that was judged counts any more."""
        self._sees.clear()
        # Another table: what is being judged now is remembered in the one that it was begun with.
        self._judged = {}

    def profile(self) -> Hashable:
        """As the decider's."""
        judge = self._judge
        return (id(judge.decider), judge.hides, judge.owners is None, judge.decider.profile(judge.identity))

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        """What is not certain to be granted whatever it is about, and what makes things that somebody will own."""
        seen = self._sees.get(procedure)
        if seen is None:
            seen = self._sees[procedure] = self._concerns(procedure)
        return seen

    def _concerns(self, procedure: Procedure[Any, Any]) -> bool:
        judge, what = self._judge, about(procedure)
        needed = {(rule.kind, rule.permission) for rule in (*self._rules(procedure), *rules_of(procedure.aclfilter))}
        if judge.hides:
            kinds = {kind for kind, _ in needed if kind != "connect"} | what.kinds
            needed |= {(kind, "getattr") for kind in kinds}
            needed |= {("domain", "getattr")} if procedure in _TELLS_OF_GUESTS else set()
        if any(judge.decider.always(judge.identity, *need) is not True for need in needed):
            return True
        return self._ownership is not None and (what.makes or ends(procedure))

    def _may_not_see_all(self, kind: str) -> bool:
        judge = self._judge
        return judge.hides and not judge.reports and judge.decider.always(judge.identity, kind, "getattr") is not True

    def _rules(self, procedure: Procedure[Any, Any]) -> tuple[Rule, ...]:
        return rules_of(procedure.acl) + (_STRICTER.get(procedure, ()) if self._judge.hides else ())

    # Calls

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Let a call pass that was judged before; judge it otherwise."""
        frame = request.frame
        judged = self._judged.get((frame.program, frame.procedure, frame.raw[PACKET_MIN:]))
        # The payload of a call with descriptors begins elsewhere.
        if judged is not None and frame.type == CALL and judged.holds():
            request.notes["things"] = judged.things
            request.notes["decision"] = judged.decision
            return None
        return self._consider(request)

    async def _consider(self, request: Request) -> None:
        case = Case()
        before, judged = request.frame, self._judged
        try:
            lasting = await self._judge_call(request, case)
        finally:
            request.notes["things"] = tuple(case.things)
            request.notes["decision"] = case.decision
        if lasting:
            self._remember(judged, before, case)

    async def _judge_call(self, request: Request, case: Case) -> bool:
        """Judge a call; VirtError refuses it. Returns whether the same call need not be judged again."""
        procedure, judge, what = request.procedure, self._judge, about(request.procedure)
        rules = [rule for rule in self._rules(procedure) if rule.applies(request.args)]
        place = self._place(request)
        if place is None:
            return False
        for rule in rules:
            if rule.kind == "connect":
                await judge.require(rule.permission, connection(place), case)
        about_things = [rule for rule in rules if rule.kind != "connect"]
        if what.lookup is None:
            await self._refuse_what_never_is(about_things, case)
        for ref in what.refs(request.args):
            await judge.resolve(ref, case)
        if what.lookup is not None:
            self._after[request] = partial(lookups.judge_found, judge, request, what, about_things)
        elif what.file is not None:
            await making.judge_file(judge, request, what, about_things, case)
        elif what.makes:
            await self._judge_making(request, what, about_things, case)
        else:
            await self._require(about_things, case)
            if procedure is remote.DOMAIN_RENAME and judge.hides:
                await making.judge_new_name(judge, case, request.args.new_name or "", about_things)
            return await self._answers(request, what, case)
        return False

    async def _refuse_what_never_is(self, rules: list[Rule], case: Case) -> None:
        """What is granted on no thing is refused without asking what it is about."""
        judge = self._judge
        for rule in rules:
            if judge.decider.always(judge.identity, rule.kind, rule.permission) is False:
                place = judge.place(FAMILY_OF[rule.kind])
                await judge.require(rule.permission, Thing(rule.kind, place.driver, place.uri), case)

    async def _require(self, rules: list[Rule], case: Case) -> None:
        for rule in rules:
            for thing in case.of(rule.kind):
                await self._judge.require(rule.permission, thing, case)

    async def _judge_making(self, request: Request, what: About, rules: list[Rule], case: Case) -> None:
        copied = [rule for rule in rules if rule in _STRICTER.get(request.procedure, ())]
        await self._require(copied, case)
        made = [rule for rule in rules if rule not in copied]
        new = await making.judge_making(self._judge, request, what, made, case)
        if new is not None and self._ownership is not None:
            self._after[request] = partial(self._ownership.made, self._judge, request, new)

    async def _answers(self, request: Request, what: About, case: Case) -> bool:
        """See to it that the answer is judged too, where that is needed; whether it is not."""
        judge, procedure = self._judge, request.procedure
        if filters.is_list(procedure):
            counts = await filters.prepare(judge, request)
            if not request.answered:
                self._after[request] = partial(filters.judge_list, judge, request, counts)
            return False
        elif procedure is remote.NETWORK_GET_DHCP_LEASES and self._may_not_see_all("domain"):
            counts = await filters.prepare(judge, request)
            self._after[request] = partial(guests.judge_leases, judge, request, counts)
        elif procedure is remote.NETWORK_GET_XML_DESC and self._may_not_see_all("domain"):
            self._after[request] = partial(guests.judge_network, judge, request)
        elif procedure is remote.NODE_DEVICE_GET_PARENT and judge.hides:
            self._after[request] = partial(lookups.judge_parent, judge, request)
        elif self._ownership is not None and what.name is not None and what.name[0] == "domain":
            self._after[request] = partial(self._ownership.arrived, judge, request)
        elif self._ownership is not None and ends(procedure):
            self._after[request] = partial(self._ownership.ended, judge, case)
        return request not in self._after

    def _place(self, request: Request) -> Place | None:
        """The daemon that a call goes to; None for what the edge answers before a URI is opened."""
        if request.procedure.edge == "open":
            router = self._session.router
            target = router.route(request.args.name or router.default_uri()).primary
            return place_of(target.driver, target.uri)
        if request.procedure.edge is not None and self._session.primary is None:
            return None
        return self._judge.place(request.procedure.family)

    def _remember(self, judged: _Judged, frame: Frame, case: Case) -> None:
        size = len(frame.raw) - PACKET_MIN
        brief = frame.type == CALL and size <= REMEMBERED_SIZE
        if not self._judge.remembers or not brief or not all(known.valid for known in case.known):
            return
        if len(judged) >= REMEMBERED_MAX:
            judged.clear()
        judged[frame.program, frame.procedure, frame.raw[PACKET_MIN:]] = Judgement(case)

    # Replies and events

    def reply(self, request: Request, frame: Frame) -> Frame | Coroutine[Any, Any, Frame]:
        """The reply as the client may have it."""
        after = self._after.pop(request, None) if self._after else None
        if frame.status == ERROR and self._judge.hides and request.admitted:
            return self._scrubbed(request, after, frame)
        return frame if after is None else after(frame)

    async def _scrubbed(self, request: Request, after: _After | None, frame: Frame) -> Frame:
        """An error may name others' things; those of the rules themselves do not."""
        judged = frame if after is None else await after(frame)
        return judged if judged is not frame else await scrub.scrubbed(self._judge, request, frame)

    def filters_events(self) -> bool:
        """Unless the caller may hear of everything."""
        return events.filters(self._judge)

    def event(self, frame: Frame) -> Frame | Coroutine[Any, Any, Frame | None] | None:
        """The event, if the client may hear of it."""
        return events.judge_event(self._judge, frame)

    def close(self) -> None:
        """The session is over."""
        self._after.clear()
        self._judge.leave()
