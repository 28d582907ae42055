# SPDX-License-Identifier: LGPL-2.1-or-later
"""What things really are: the true name and UUID behind what a client calls something.

The access stage asks it before it decides. A directory belongs to one daemon and URI; it asks that daemon as itself
and remembers the answer for as long as events of the daemon would tell of a change. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from twisted.logger import Logger

from virtproxy.access.decision import Thing
from virtproxy.access.objects import Ref, reference_in
from virtproxy.access.things import described, identity_of, place_of
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.families import Target
from virtproxy.routing.inquiry import Inquiry
from virtproxy.routing.router import Router
from virtproxy.rpc.client import decode_event
from virtproxy.wire.codec import WireError
from virtproxy.wire.frame import Frame

# How many things one directory remembers.
THINGS_MAX = 65536

_Question = Callable[[Ref], tuple[Procedure[Any, Any], Any]]
_QUESTIONS: Mapping[tuple[str, str], _Question] = {
    ("domain", "uuid"): lambda ref: (remote.DOMAIN_LOOKUP_BY_UUID, remote.DomainLookupByUuidArgs(uuid=ref.value)),
    ("domain", "name"): lambda ref: (remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name=ref.value)),
    ("network", "uuid"): lambda ref: (remote.NETWORK_LOOKUP_BY_UUID, remote.NetworkLookupByUuidArgs(uuid=ref.value)),
    ("network", "name"): lambda ref: (remote.NETWORK_LOOKUP_BY_NAME, remote.NetworkLookupByNameArgs(name=ref.value)),
    ("storage_pool", "uuid"): lambda ref: (
        remote.STORAGE_POOL_LOOKUP_BY_UUID,
        remote.StoragePoolLookupByUuidArgs(uuid=ref.value),
    ),
    ("storage_pool", "name"): lambda ref: (
        remote.STORAGE_POOL_LOOKUP_BY_NAME,
        remote.StoragePoolLookupByNameArgs(name=ref.value),
    ),
    ("secret", "uuid"): lambda ref: (remote.SECRET_LOOKUP_BY_UUID, remote.SecretLookupByUuidArgs(uuid=ref.value)),
    ("nwfilter", "uuid"): lambda ref: (remote.NWFILTER_LOOKUP_BY_UUID, remote.NwfilterLookupByUuidArgs(uuid=ref.value)),
    ("nwfilter", "name"): lambda ref: (remote.NWFILTER_LOOKUP_BY_NAME, remote.NwfilterLookupByNameArgs(name=ref.value)),
    ("nwfilter_binding", "name"): lambda ref: (
        remote.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV,
        remote.NwfilterBindingLookupByPortDevArgs(name=ref.value),
    ),
    ("interface", "name"): lambda ref: (
        remote.INTERFACE_LOOKUP_BY_NAME,
        remote.InterfaceLookupByNameArgs(name=ref.value),
    ),
    ("node_device", "name"): lambda ref: (
        remote.NODE_DEVICE_LOOKUP_BY_NAME,
        remote.NodeDeviceLookupByNameArgs(name=ref.value),
    ),
}
# What a daemon answers about a thing that is not there.
ABSENT: Mapping[str, ErrorCode] = {
    "domain": ErrorCode.NO_DOMAIN,
    "network": ErrorCode.NO_NETWORK,
    "network_port": ErrorCode.NO_NETWORK_PORT,
    "storage_pool": ErrorCode.NO_STORAGE_POOL,
    "storage_vol": ErrorCode.NO_STORAGE_VOL,
    "secret": ErrorCode.NO_SECRET,
    "nwfilter": ErrorCode.NO_NWFILTER,
    "nwfilter_binding": ErrorCode.NO_NWFILTER_BINDING,
    "interface": ErrorCode.NO_INTERFACE,
    "node_device": ErrorCode.NO_NODE_DEVICE,
}
# What is watched: kind, how to register, and the event that tells of things that come, go and change their names.
_WATCHED: tuple[tuple[str, Procedure[Any, Any], Any, Procedure[Any, Any]], ...] = (
    (
        "domain",
        remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
        remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None),
        remote.DOMAIN_EVENT_CALLBACK_LIFECYCLE,
    ),
    (
        "network",
        remote.CONNECT_NETWORK_EVENT_REGISTER_ANY,
        remote.ConnectNetworkEventRegisterAnyArgs(event_id=0, net=None),
        remote.NETWORK_EVENT_LIFECYCLE,
    ),
    (
        "storage_pool",
        remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
        remote.ConnectStoragePoolEventRegisterAnyArgs(event_id=0, pool=None),
        remote.STORAGE_POOL_EVENT_LIFECYCLE,
    ),
    (
        "node_device",
        remote.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
        remote.ConnectNodeDeviceEventRegisterAnyArgs(event_id=0, dev=None),
        remote.NODE_DEVICE_EVENT_LIFECYCLE,
    ),
    (
        "secret",
        remote.CONNECT_SECRET_EVENT_REGISTER_ANY,
        remote.ConnectSecretEventRegisterAnyArgs(event_id=0, secret=None),
        remote.SECRET_EVENT_LIFECYCLE,
    ),
)
# Events after which a thing is still there under its name: starts, suspends, resumes and the like, by their numbers.
_STAYS: Mapping[str, frozenset[int]] = {
    "domain": frozenset({2, 3, 4, 6, 7}),
    "network": frozenset({2}),
    "storage_pool": frozenset({2, 5}),
}
_EVENT_KINDS = {(event.program.number, event.number): kind for kind, _, _, event in _WATCHED}


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
        procedure, args = _question(bare, within)
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
        for kind, register, args, _ in _WATCHED:
            try:
                await self._inquiry.put(register, args)
            except VirtError:
                continue
            self._watched.add(kind)
        if self._watcher is not None:
            self._watcher.opened(self)

    def _heard(self, frame: Frame) -> None:
        kind = _EVENT_KINDS.get((frame.program, frame.procedure))
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
        if event in _STAYS.get(kind, ()) and all(
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


def _question(ref: Ref, within: Thing | None) -> tuple[Procedure[Any, Any], Any]:
    if ref.kind == "storage_vol":
        pool = remote.NonnullStoragePool(name=_name(within), uuid=_uuid(within))
        return remote.STORAGE_VOL_LOOKUP_BY_NAME, remote.StorageVolLookupByNameArgs(pool=pool, name=ref.value)
    if ref.kind == "network_port":
        network = remote.NonnullNetwork(name=_name(within), uuid=_uuid(within))
        return remote.NETWORK_PORT_LOOKUP_BY_UUID, remote.NetworkPortLookupByUuidArgs(network=network, uuid=ref.value)
    return _QUESTIONS[ref.kind, ref.by](ref)


def _name(thing: Thing | None) -> str:
    return thing.name or "" if thing is not None else ""


def _uuid(thing: Thing | None) -> bytes:
    return UUID(thing.uuid).bytes if thing is not None and thing.uuid is not None else bytes(16)
