# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stage that judges what calls lay claim to: files, devices, networks, raw command lines, destinations.

`daemon/rules.py` puts it behind the access rules. It reads a call's documents, has the policy judge every claim, then
what follows from them on this host (links, images' headers), and looks again at what a guest opens when it starts.
Only the policy decides. It leaves the decision that counted in `Request.notes["decision"]`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from typing import Any, Protocol

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.access.claims.chain import follow
from virtproxy.access.claims.document import DocumentError
from virtproxy.access.claims.images import Image
from virtproxy.access.claims.model import Claim, Judge
from virtproxy.access.claims.reader import read
from virtproxy.access.decision import Decision
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import Target
from virtproxy.routing.rules.document_calls import CALLS
from virtproxy.routing.rules.document_claims import Named, named_by, text_length
from virtproxy.routing.rules.documents_kept import Kept, kept_by
from virtproxy.routing.session import Session
from virtproxy.routing.stages import Request, Stage

# Reading as much takes about a millisecond; more is read in a thread.
SHORT = 16384
_NO_VOLUME = {ErrorCode.NO_STORAGE_POOL, ErrorCode.NO_STORAGE_VOL, ErrorCode.NO_SUPPORT}
# Calls a function where it may block, and says later what it returned.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
_log = Logger()


class Directory(Protocol):
    """What a daemon is asked by."""

    async def ask(self, procedure: Procedure[Any, Any], args: Any) -> Any: ...


class Directories(Protocol):
    """Hands out the directory of each daemon: `routing.directory.Directories`."""

    def of(self, target: Target, user: object) -> Directory: ...

    def leave(self, user: object) -> None: ...


class Documents:
    """One daemon's rule on documents; makes a stage for each session."""

    def __init__(self, judge: Judge, directories: Directories, in_thread: InThread = deferToThread) -> None:
        self.judge = judge
        self.directories = directories
        self.in_thread = in_thread

    def __call__(self, session: Session) -> DocumentStage:
        return DocumentStage(session, self)


class DocumentStage(Stage):
    """One session's part of the rule."""

    def __init__(self, session: Session, rule: Documents) -> None:
        self._session = session
        self._judge = rule.judge
        self._directories = rule.directories
        self._in_thread = rule.in_thread
        self._unlimited = False
        self.refresh()

    def refresh(self) -> None:
        self._unlimited = self._judge.unlimited(self._session.identity)

    def profile(self) -> Hashable:
        return self._unlimited

    def sees(self, procedure: Procedure[Any, Any]) -> bool:
        return procedure.name in CALLS and not self._unlimited

    def close(self) -> None:
        self._directories.leave(self)

    def call(self, request: Request) -> Coroutine[Any, Any, None] | None:
        """Judge what a call names; VirtError refuses it."""
        length = text_length(request.procedure, request.args)
        if length <= SHORT:
            named = self._read(request)
            self._check(request, named.claims)
            if not named.claims and not named.images and not CALLS[request.procedure.name].opens:
                return None
            return self._look_further(request, named)
        return self._read_long(request)

    async def _read_long(self, request: Request) -> None:
        named = await self._in_thread(lambda: self._read(request))
        self._check(request, named.claims)
        await self._look_further(request, named)

    def _read(self, request: Request) -> Named:
        """What a call names; what cannot be read is refused, or passes where the policy only reports."""
        try:
            return named_by(request.procedure, request.args)
        except DocumentError as error:
            if not self._judge.reporting:
                raise VirtError.of(ErrorCode.XML_ERROR, str(error), domain=ErrorDomain.ACCESS) from None
            _log.info("would be refused: {why} to {who}", why=str(error), who=request.identity.describe())
            return Named([], [], [])

    async def _look_further(self, request: Request, named: Named) -> None:
        """Judge what follows from the claims on this host, and what the daemon has kept for the call."""
        await self._follow(request, named.claims, named.images)
        opens = CALLS[request.procedure.name].opens
        for kept in await kept_by(opens, request, self._ask) if opens else ():
            await self._open(request, kept)

    async def _open(self, request: Request, kept: Kept) -> None:
        try:
            document = await self._in_thread(lambda: read(kept.text, kept.kind))
        except DocumentError as error:
            raise errors.internal(f"the daemon's own document cannot be read: {error}") from None
        if kept.whole:
            self._check(request, document.claims)
        await self._follow(request, document.claims, document.images)

    async def _follow(self, request: Request, claims: Sequence[Claim], images: Sequence[Image]) -> None:
        names = {image.volume for image in images if image.volume}
        names |= {claim.value for claim in claims if claim.kind == "volume"}
        volumes = {name: path for name in sorted(names) if (path := await self._path_of(name))}
        self._check(request, await self._in_thread(lambda: follow(claims, images, volumes)))

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
        target = self._session.target_of(procedure.family)
        if target is None:
            raise errors.internal(f"{procedure.family.value} connection not open")
        return await self._directories.of(target, self).ask(procedure, args)

    def _check(self, request: Request, claims: Sequence[Claim]) -> None:
        """VirtError unless every claim is granted."""
        if not claims:
            return
        decision = self._judge.judge(request.identity, claims)
        self._note(request, decision)
        if not decision.granted:
            raise errors.access_denied(decision.missing, ErrorDomain.ACCESS)

    def _note(self, request: Request, decision: Decision) -> None:
        if not decision.granted or decision.pretended:
            request.notes["decision"] = decision
        if decision.pretended:
            _log.info(
                "would be refused: {missing} ({rule}) to {who}",
                missing=decision.missing,
                rule=decision.rule,
                who=request.identity.describe(),
            )
