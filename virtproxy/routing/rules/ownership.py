# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps `access.owners` true: who makes a thing owns it, and what ceased to exist has no owner.

The access stage calls it with replies, directories tell it what may be gone. Whether a thing is gone the daemon that
had it says, never a client.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any
from uuid import UUID

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy.access.decision import Thing
from virtproxy.access.objects import Ref, about, reference_in
from virtproxy.access.owners import Owners
from virtproxy.access.rules import rules_of
from virtproxy.access.things import described, identity_of
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.directory import Directory
from virtproxy.routing.rules.judge import Case, Judge
from virtproxy.routing.rules.lookups import decoded
from virtproxy.routing.stages import Request
from virtproxy.wire.frame import OK, Frame

# Migrations that may be on their way at a time; more, and the oldest will have no owner.
ARRIVING_MAX = 256
_WITH_UUID = frozenset({"domain", "network", "nwfilter", "secret", "storage_pool"})


def ends(procedure: Procedure[Any, Any]) -> bool:
    """Whether a call may end the existence of what it is about."""
    what = about(procedure)
    named = any(not field.optional and not field.many for field in what.fields) or what.name is not None
    return named and any(rule.permission in ("delete", "stop", "migrate") for rule in rules_of(procedure.acl))


class Ownership:
    """One a daemon; `owners` is what it keeps true. Implements `routing.directory.Watcher`."""

    _log = Logger()

    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        # Guests whose migration to here was let in: (uri, name) -> who let them in.
        self._arriving: OrderedDict[tuple[str, str], str] = OrderedDict()

    # Beginnings

    async def made(self, judge: Judge, request: Request, new: Thing, frame: Frame) -> Frame:
        """The caller made something new, or will have when its migration has come: it owns it."""
        owner = self.owners.key(judge.identity)
        if owner is None or frame.status != OK:
            return frame
        reference = reference_in(decoded(request, frame))
        if reference is not None:
            await self._record(judge, described(judge.place(request.procedure.family), reference), owner)
        elif new.name is not None:
            # It is there already, and whoever let it in must be able to bring its migration to an end.
            await self._record(judge, new if new.uuid is not None else None, owner)
            self._arriving[new.uri, new.name] = owner
            while len(self._arriving) > ARRIVING_MAX:
                self._arriving.popitem(last=False)
        return frame

    async def arrived(self, judge: Judge, request: Request, frame: Frame) -> Frame:
        """The last step of a migration to here."""
        if frame.status == OK:
            thing = described(judge.place(request.procedure.family), reference_in(decoded(request, frame)))
            if thing is not None:
                owner = self._arriving.pop((thing.uri, thing.name or ""), None)
                if owner is not None:
                    await self._record(judge, thing, owner)
        return frame

    async def _record(self, judge: Judge, thing: Thing | None, owner: str) -> None:
        identity = None if thing is None else identity_of(thing)
        # Ports live as long as the guest that they are for, and libvirt itself makes them.
        if thing is not None and identity is not None and thing.kind != "network_port":
            await self.owners.record(thing.uri, thing.kind, identity, owner)

    # Ends

    async def ended(self, judge: Judge, case: Case, frame: Frame) -> Frame:
        """A call that may have ended things was answered."""
        if frame.status == OK:
            for thing in case.things:
                identity = identity_of(thing)
                if identity is not None and thing.owner is not None:
                    await self.confirm(judge.directory(thing.kind), thing.kind, identity)
        return frame

    def gone(self, directory: Directory, kind: str, identity: str) -> None:
        """An event says that a thing may be gone."""
        if self.owners.owner_of(directory.place.uri, kind, identity) is not None:
            self._apart(partial(self.confirm, directory, kind, identity))

    def opened(self, directory: Directory) -> None:
        """Events were missed while nobody listened."""
        self._apart(partial(self._confirm_all, directory))

    async def _confirm_all(self, directory: Directory) -> None:
        for thing, _ in self.owners:
            if thing.uri == directory.place.uri:
                await self.confirm(directory, thing.kind, thing.identity)

    async def confirm(self, directory: Directory, kind: str, identity: str) -> None:
        """Take a thing from its owner if its daemon has it no more."""
        try:
            known = await _find(directory, kind, identity)
        except VirtError as error:
            # A daemon without the kind has none of it; one that cannot be asked says nothing.
            if error.code != ErrorCode.NO_SUPPORT:
                return
            known = None
        if not known:
            await self.owners.remove(directory.place.uri, kind, identity)

    def _apart(self, work: Any) -> None:
        def failed(failure: Failure) -> None:
            self._log.failure("the owners could not be looked through", failure=failure)

        ensureDeferred(work()).addErrback(failed)


async def _find(directory: Directory, kind: str, identity: str) -> bool:
    if kind in _WITH_UUID:
        return await directory.find(Ref(kind, "uuid", UUID(identity).bytes)) is not None
    if kind != "storage_vol":
        return await directory.find(Ref(kind, "name", identity)) is not None
    pool_name, _, name = identity.partition("/")
    pool = Ref("storage_pool", "name", pool_name)
    known = await directory.find(pool)
    return known is not None and await directory.find(Ref(kind, "name", name, pool), known.thing) is not None
