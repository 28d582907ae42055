# SPDX-License-Identifier: LGPL-2.1-or-later
"""What things really are: the true name and UUID behind what a client calls something.

The access stage asks it before it decides. A directory belongs to one daemon and URI; it asks that daemon as itself
and remembers the answer for as long as events of the daemon would tell of a change. It decides nothing.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.logger import Logger

from virtproxy.access.decision import Thing
from virtproxy.access.objects import Ref, reference_in
from virtproxy.access.things import described, identity_of, place_of
from virtproxy.errors import VirtError
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import Target
from virtproxy.routing.inquiry import Inquiry
from virtproxy.routing.questions import ABSENT, EVENT_KINDS, STAYS, WATCHED, question
from virtproxy.routing.router import Router
from virtproxy.rpc.client import decode_event
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import Frame

# How many things one directory remembers.
THINGS_MAX = 65536


class Known:
    """What a directory found out about one thing; no longer to be relied on when it is not `valid`."""

    __slots__ = ("thing", "valid")

    def __init__(self, thing: Thing, valid: bool) -> None:
        self.thing = thing
        self.valid = valid


class Watcher(Protocol):
    """Wants to know what becomes of things: `access.owners` does."""

    def opened(self, directory: Directory) -> None:
        """The daemon is asked and heard from now on; what happened before, nobody knows. Must not raise."""

    def gone(self, directory: Directory, kind: str, identity: str) -> None:
        """A thing may have ceased to exist, or have changed its name. Must not raise."""


class Directory:
    """The things of one daemon; `watcher` is told of what happens to them."""

    _log = Logger()

    def __init__(self, router: Router, target: Target, watcher: Watcher | None = None) -> None:
        self.place = place_of(target.driver, target.uri)
        self._watcher = watcher
        self._known: dict[Ref, Known] = {}
        self._refs: dict[tuple[str, str], set[Ref]] = {}
        self._watched: set[str] = set()
        # Counts what was heard, so that an answer that an event overtook is not remembered.
        self._heard_count = 0
        self._inquiry = Inquiry(router, target, self._opened, self._heard, self._lost)

    def known(self, ref: Ref) -> Known | None:
        """What is remembered of the thing that `ref` leads to."""
        return self._known.get(_bare(ref))

    async def find(self, ref: Ref, within: Thing | None = None) -> Known | None:
        """Ask what `ref` leads to; None if there is no such thing. `within` is the pool or network that it is in.

        VirtError if the daemon cannot say.
        """
        bare, heard = _bare(ref), self._heard_count
        procedure, args = question(bare, within)
        try:
            answer = await self._inquiry.ask(procedure, args)
        except VirtError as error:
            if error.code != ABSENT[ref.kind]:
                raise
            self._forget_ref(bare)
            return None
        thing = described(self.place, reference_in(answer), within)
        if thing is None or identity_of(thing) is None:
            return None
        # A volume or a filter is not watched: it is asked for again each time.
        fresh = ref.kind in self._watched and heard == self._heard_count
        return self._remember(bare, thing) if fresh else Known(thing, False)

    async def ask(self, procedure: Procedure[Any, Any], args: Any) -> Any:
        """Ask the daemon something else; VirtError as it says it."""
        return await self._inquiry.ask(procedure, args)

    def forget(self, kind: str, identity: str) -> None:
        """Forget a thing: something about it changed."""
        for ref in self._refs.pop((kind, identity), ()):
            known = self._known.pop(ref, None)
            if known is not None:
                known.valid = False

    def close(self) -> None:
        """Leave the daemon."""
        self._inquiry.close()

    # What is remembered

    def _remember(self, ref: Ref, thing: Thing) -> Known:
        before = self._known.get(ref)
        if before is not None and before.thing == thing:
            return before
        self._forget_ref(ref)
        if len(self._known) >= THINGS_MAX:
            self._lost()
        known = self._known[ref] = Known(thing, True)
        self._refs.setdefault((thing.kind, identity_of(thing) or ""), set()).add(ref)
        return known

    def _forget_ref(self, ref: Ref) -> None:
        known = self._known.get(ref)
        if known is not None:
            self.forget(known.thing.kind, identity_of(known.thing) or "")

    def _lost(self) -> None:
        for known in self._known.values():
            known.valid = False
        self._known.clear()
        self._refs.clear()
        self._heard_count += 1

    # Events

    async def _opened(self) -> None:
        """Register for what tells of changes; a daemon has the events of its own kinds only."""
        self._watched.clear()
        for kind, register, args, _ in WATCHED:
            try:
                await self._inquiry.put(register, args)
            except VirtError:
                continue
            self._watched.add(kind)
        if self._watcher is not None:
            self._watcher.opened(self)

    def _heard(self, frame: Frame) -> None:
        kind = EVENT_KINDS.get((frame.program, frame.procedure))
        if kind is None:
            return
        self._heard_count += 1
        try:
            message = decode_event(frame)
        except WireError as failure:
            self._log.warn("an event cannot be read: {why}", why=str(failure))
            self._lost()
            return
        thing = described(self.place, reference_in(message))
        if thing is not None:
            self._changed(kind, thing, message.msg.event if kind == "domain" else message.event)

    def _changed(self, kind: str, thing: Thing, event: int) -> None:
        identity = identity_of(thing) or ""
        if event in STAYS.get(kind, ()) and all(
            self._known[ref].thing.name == thing.name for ref in self._refs.get((kind, identity), ())
        ):
            return
        self.forget(kind, identity)
        if self._watcher is not None:
            self._watcher.gone(self, kind, identity)


class Directories:
    """The directories of one process, each open for as long as a session uses it."""

    def __init__(self, router: Router, watcher: Watcher | None = None) -> None:
        self._router = router
        self._watcher = watcher
        self._open: dict[str, Directory] = {}
        self._users: dict[str, set[object]] = {}

    def of(self, target: Target, user: object) -> Directory:
        """The directory of a daemon and URI, which stays open until `user` leaves."""
        place = place_of(target.driver, target.uri)
        directory = self._open.get(place.uri)
        if directory is None:
            directory = self._open[place.uri] = Directory(self._router, Target(target.driver, place.uri), self._watcher)
        self._users.setdefault(place.uri, set()).add(user)
        return directory

    def leave(self, user: object) -> None:
        """`user` asks no more."""
        for uri, users in list(self._users.items()):
            users.discard(user)
            if not users:
                del self._users[uri]
                self._open.pop(uri).close()


def _bare(ref: Ref) -> Ref:
    """Without what decides nothing, so that a thing is remembered once."""
    return ref if ref.called is None and ref.within is None else Ref(ref.kind, ref.by, ref.value, ref.within)
