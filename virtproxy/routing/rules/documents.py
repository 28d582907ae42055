# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stage that judges what calls lay claim to: files, devices, networks, raw command lines, destinations.

`daemon/rules.py` puts it behind the access rules. It reads a call's documents, has the policy judge every claim, then
what follows from them on this host (links, images' headers), and looks again at what a guest opens when it starts.
Only the policy decides. It leaves in `Request.notes` its refusal as "decision", and what it read as "documents".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Protocol

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.access.claims.chain import Chain, all_resolved
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.images import Image
from virtproxy.access.claims.model import Claim, Judge
from virtproxy.access.claims.reader import read
from virtproxy.access.decision import GRANTED, Decider, Decision
from virtproxy.access.owners import Owners
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.directory import Directories
from virtproxy.routing.rules.document_calls import CALLS
from virtproxy.routing.rules.document_claims import Named, named_by, text_length
from virtproxy.routing.rules.documents_kept import Kept, kept_by
from virtproxy.routing.rules.judge import Judge as Things
from virtproxy.routing.rules.own_things import is_own
from virtproxy.routing.session import Session
from virtproxy.routing.stages import Request, Stage

# Reading as much takes a millisecond or two; more is read in a thread.
SHORT = 2048
# A pool that is not started has no volumes yet: the guest is looked at again when it starts.
_NO_VOLUME = {
    ErrorCode.NO_STORAGE_POOL,
    ErrorCode.NO_STORAGE_VOL,
    ErrorCode.NO_SUPPORT,
    ErrorCode.OPERATION_INVALID,
}
# Calls a function where it may block, and says later what it returned.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
_log = Logger()


class Policy(Judge, Decider, Protocol):
    """What is asked about claims and permissions: `access.policy.decider.PolicyDecider`."""


class Documents:
    """One daemon's rule on documents; a `StageMaker`."""

    def __init__(
        self,
        policy: Policy,
        owners: Owners | None,
        directories_of: Callable[[Session], Directories],
        in_thread: InThread = deferToThread,
    ) -> None:
        self.policy = policy
        self.owners = owners
        self.in_thread = in_thread
        self.directories_of = directories_of

    def __call__(self, session: Session) -> DocumentStage:
        """The stage of one session."""
        things = Things(session, self.policy, self.directories_of(session), self.owners, hides=True)
        return DocumentStage(session, self.policy, things, self.in_thread)


class DocumentStage(Stage):
    """One session's part of the rule."""

    def __init__(self, session: Session, policy: Judge, things: Things, in_thread: InThread) -> None:
        self._session = session
        self._policy = policy
        self._things = things
        self._in_thread = in_thread
        self._unlimited = False
        self.refresh()

    def refresh(self) -> None:
        self._unlimited = self._policy.unlimited(self._session.identity)

    def profile(self) -> Hashable:
        return self._unlimited

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return procedure.name in CALLS and not self._unlimited

    def close(self) -> None:
        self._things.leave()

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Judge what a call names; VirtError refuses it."""
        if text_length(request.procedure, request.args) > SHORT:
            return self._read_long(request)
        named = self._read(request)
        if not (named.claims or named.followed or named.images or CALLS[request.procedure.name].opens):
            return None
        return self._consider(request, named)

    async def _read_long(self, request: Request) -> None:
        await self._consider(request, await self._in_thread(lambda: self._read(request)))

    def _read(self, request: Request) -> Named:
        """What a call names; what cannot be read is refused, or passes where the policy only reports."""
        try:
            return named_by(request.procedure, request.args)
        except DocumentError as error:
            if not self._policy.reporting:
                raise VirtError.of(ErrorCode.XML_ERROR, str(error), domain=ErrorDomain.ACCESS) from None
            who = request.identity.describe()
            _log.warn("would be refused: {why} to {who}", why=str(error), who=who, client=request.session)
            return Named([], [], [], [])

    async def _consider(self, request: Request, named: Named) -> None:
        """Judge the claims, what follows from them on this host, and what the daemon has kept for the call."""
        request.notes["documents"] = named.documents
        await self._check(request, named.claims)
        await self._follow(request, [*named.claims, *named.followed], named.images)
        opens = CALLS[request.procedure.name].opens
        for kept in await kept_by(opens, request, self._ask) if opens else ():
            await self._open(request, kept)

    async def _open(self, request: Request, kept: Kept) -> None:
        try:
            document = await self._in_thread(lambda: read(kept.text, kept.kind))
        except DocumentError as error:
            raise errors.internal(f"the daemon's own document cannot be read: {error}") from None
        if kept.whole:
            await self._check(request, document.claims)
        await self._follow(request, document.claims, document.images)

    async def _follow(self, request: Request, claims: Sequence[Claim], images: Sequence[Image]) -> None:
        names = {image.volume for image in images if image.volume}
        names |= {claim.value for claim in claims if claim.kind == "volume"}
        volumes = {name: path for name in sorted(names) if (path := await self._path_of(name))}
        await self._check(request, await self._in_thread(lambda: all_resolved(claims, volumes)))
        chain = Chain(images, volumes)
        while not chain.ended:
            await self._check(request, await self._in_thread(chain.step))

    async def _path_of(self, volume: str) -> str | None:
        """Where a volume ("pool/name") lies; None if there is no such volume yet."""
        pool, _, name = volume.partition("/")
        try:
            found = await self._ask(remote.STORAGE_POOL_LOOKUP_BY_NAME, remote.StoragePoolLookupByNameArgs(name=pool))
            args = remote.StorageVolLookupByNameArgs(pool=found.pool, name=name)
            there = await self._ask(remote.STORAGE_VOL_LOOKUP_BY_NAME, args)
            path = await self._ask(remote.STORAGE_VOL_GET_PATH, remote.StorageVolGetPathArgs(vol=there.vol))
            return str(path.name)
        except VirtError as error:
            if error.code in _NO_VOLUME:
                return None
            raise

    async def _ask(self, procedure: Procedure[Any, Any], args: Any) -> Any:
        return await self._things.daemon(procedure.family).ask(procedure, args)

    async def _check(self, request: Request, claims: Sequence[Claim]) -> None:
        """VirtError unless every claim is granted, or of a thing that is the caller's to use."""
        decision = self._policy.judge(request.identity, claims) if claims else GRANTED
        if decision.granted and not decision.pretended:
            return
        for claim in claims:
            decision = self._policy.judge(request.identity, [claim])
            if (decision.granted and not decision.pretended) or await is_own(self._things, claim):
                continue
            self._note(request, decision)
            if not decision.granted:
                raise errors.access_denied(decision.missing, ErrorDomain.ACCESS)

    def _note(self, request: Request, decision: Decision) -> None:
        request.notes["decision"] = decision
        if decision.pretended:
            _log.warn(
                "would be refused: {missing} ({rule}) to {who}",
                missing=decision.missing,
                rule=decision.rule,
                who=request.identity.describe(),
                client=request.session,
            )
