# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stage that keeps each owner within the policy's quotas.

`daemon/rules.py` puts it last, so that what it lets pass goes to the daemon at once. It counts what the caller owns
when a call would add to it; calls of one owner are counted one after the other, and what is under way counts as if it
were there, so that many at once get no more than one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.decision import Decider, Decision
from virtproxy.access.owners import Owned, Owners
from virtproxy.access.policy.quotas import Quota, Usage
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.directory import Directories
from virtproxy.routing.rules.judge import Judge as Things
from virtproxy.routing.rules.quota_demands import DEMANDS, Demand, arriving_name
from virtproxy.routing.rules.quota_usage import beyond, total, usage_of
from virtproxy.routing.session import Session
from virtproxy.routing.stages import Request, Stage
from virtproxy.wire.frame import OK, Frame

# The first and the last step of a migration at the host where it arrives.
PREPARE, FINISH = "DOMAIN_MIGRATE_PREPARE", "DOMAIN_MIGRATE_FINISH"
_log = Logger()


class Policy(Decider, Protocol):
    """What is asked about quotas: `access.policy.decider.PolicyDecider`."""

    def owner_of(self, identity: Identity) -> str | None: ...

    def quota_of(self, identity: Identity) -> Quota: ...

    def judge_usage(self, identity: Identity, usage: Usage) -> Decision: ...


class UnderWay(NamedTuple):
    """What a call will add, until it has its answer. `new`: what it makes, which counts by itself once it is owned."""

    usage: Usage
    new: Owned | None


class Quotas:
    """One daemon's quotas; a `StageMaker`."""

    def __init__(self, policy: Policy, owners: Owners, directories_of: Callable[[Session], Directories]) -> None:
        self.policy = policy
        self.owners = owners
        self._directories_of = directories_of
        # By owner: who counts now, and what the calls that are under way will add.
        self._locks: dict[str, DeferredLock] = {}
        self._under_way: dict[str, dict[Request, UnderWay]] = {}

    def __call__(self, session: Session) -> QuotaStage:
        """The stage of one session."""
        return QuotaStage(session, self, Things(session, self.policy, self._directories_of(session), None, hides=True))

    async def admit(self, request: Request, demand: Demand, things: Things) -> None:
        """Let a call pass and count it from now on; VirtError if it asks for too much."""
        owner = self.policy.owner_of(request.identity) or ""
        lock = self._locks.setdefault(owner, DeferredLock())
        await lock.acquire()
        try:
            await self._judge(request, owner, demand, things)
        finally:
            lock.release()
            if not lock.locked and not lock.waiting:
                self._locks.pop(owner, None)

    async def _judge(self, request: Request, owner: str, demand: Demand, things: Things) -> None:
        # Both at one moment: what ends while the rest is asked moves from the one to the other.
        owned, coming = self.owners.of(owner), list(self._under_way.get(owner, {}).values())
        under_way = [each.usage for each in coming if each.new not in owned]
        replaced = Usage()
        if demand.replaces in owned:
            replaced = await usage_of(_known(demand.replaces), things)
            kept = {measure: getattr(replaced, measure) for measure in demand.keeps}
            demand = demand._replace(usage=replace(demand.usage, **kept))
        elif demand.grows:
            return
        others = [await usage_of(thing, things) for thing in owned if thing != demand.replaces]
        decision = self.policy.judge_usage(request.identity, total([*others, *under_way, demand.usage]))
        if not decision.granted or decision.pretended:
            _note(request, decision)
        if not decision.granted:
            raise errors.access_denied(f"the {decision.missing} would be exceeded", ErrorDomain.ACCESS)
        new = None if demand.replaces in owned else demand.replaces
        self._under_way.setdefault(owner, {})[request] = UnderWay(beyond(demand.usage, replaced), new)

    def ended(self, request: Request) -> None:
        """A call has its answer: what it made is there now, or is not."""
        for owner, requests in list(self._under_way.items()):
            requests.pop(request, None)
            if not requests:
                del self._under_way[owner]


def _known(thing: Owned | None) -> Owned:
    assert thing is not None
    return thing


def _note(request: Request, decision: Decision) -> None:
    request.notes["decision"] = decision
    if decision.pretended:
        _log.warn(
            "would be refused: {missing} ({rule}) to {who}",
            missing=decision.missing,
            rule=decision.rule,
            who=request.identity.describe(),
            client=request.session,
        )


class QuotaStage(Stage):
    """One session's part of the quotas."""

    def __init__(self, session: Session, quotas: Quotas, things: Things) -> None:
        self._session = session
        self._quotas = quotas
        self._things = things
        self._counted: set[Request] = set()
        # Migrations that were let in and have not come yet, by the guest's name.
        self._arriving: dict[str, Request] = {}
        self._limited = False
        self.refresh()

    def refresh(self) -> None:
        self._limited = self._quotas.policy.quota_of(self._session.identity).is_limited

    def profile(self) -> Hashable:
        return self._limited

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return self._limited and (procedure.name in DEMANDS or procedure.name.startswith(FINISH))

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        return None if request.procedure.name.startswith(FINISH) else self._count(request)

    async def _count(self, request: Request) -> None:
        try:
            demand = await DEMANDS[request.procedure.name](request, self._things)
        except DocumentError as error:
            raise VirtError.of(ErrorCode.XML_ERROR, str(error), domain=ErrorDomain.ACCESS) from None
        if demand is not None:
            self._counted.add(request)
            await self._quotas.admit(request, demand, self._things)

    def reply(self, request: Request, frame: Frame) -> Frame:
        name = request.procedure.name
        if name.startswith(FINISH):
            self._end(self._arriving.pop(arriving_name(request), None))
        elif name.startswith(PREPARE) and frame.status == OK and request in self._counted:
            self._end(self._arriving.get(arriving_name(request)))
            self._arriving[arriving_name(request)] = request
        else:
            self._end(request)
        return frame

    def _end(self, request: Request | None) -> None:
        if request is not None:
            self._counted.discard(request)
            self._quotas.ended(request)

    def close(self) -> None:
        for request in self._counted:
            self._quotas.ended(request)
        self._counted.clear()
        self._arriving.clear()
        self._things.leave()
