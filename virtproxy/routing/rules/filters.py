# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules for lists, counts and bulk statistics: what the caller may not know of is left out.

The access stage gives it these calls. The old forms carry names, numbers or a count only, from which nothing can be
told: they are answered from a list of references, asked in the client's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from virtproxy import errors
from virtproxy.access.decision import Thing
from virtproxy.access.objects import Ref, fields_of, ref_of
from virtproxy.access.rules import rules_of
from virtproxy.access.things import described, uuid_text
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.answers import reply_to
from virtproxy.routing.questions import ABSENT
from virtproxy.routing.rules.judge import Case, Judge
from virtproxy.routing.rules.lookups import decoded
from virtproxy.routing.stages import Request
from virtproxy.wire.codec import encode
from virtproxy.wire.frame import OK, Frame


class Old(NamedTuple):
    """An old list or count: what is asked instead, and how one entry of that is written in the old answer."""

    modern: Procedure[Any, Any]
    ask: Callable[[Any], Any]
    entry: Callable[[Any], Any]


def _name(reference: Any) -> Any:
    return reference.name


def _all(args_type: Any, flags: int) -> Callable[[Any], Any]:
    return lambda args: args_type(need_results=1, flags=flags)


def _old(modern: Procedure[Any, Any], entry: Callable[[Any], Any], flags: int = 0) -> Old:
    return Old(modern, _all(modern.args, flags), entry)


_VOLUMES = Old(
    remote.STORAGE_POOL_LIST_ALL_VOLUMES,
    lambda args: remote.StoragePoolListAllVolumesArgs(pool=args.pool, need_results=1, flags=0),
    _name,
)
# Names of devices are all there is to know of them, so the old list itself is asked, for all.
_DEVICES = Old(
    remote.NODE_LIST_DEVICES,
    lambda args: remote.NodeListDevicesArgs(cap=args.cap, maxnames=remote.NODE_DEVICE_LIST_MAX, flags=args.flags),
    _name,
)
# Bits of the flags of the modern lists: a domain is active with 1 and inactive with 2, all others the other way round.
_OLD: Mapping[Procedure[Any, Any], Old] = {
    remote.CONNECT_LIST_DOMAINS: _old(remote.CONNECT_LIST_ALL_DOMAINS, lambda reference: reference.id, 1),
    remote.CONNECT_NUM_OF_DOMAINS: _old(remote.CONNECT_LIST_ALL_DOMAINS, _name, 1),
    remote.CONNECT_LIST_DEFINED_DOMAINS: _old(remote.CONNECT_LIST_ALL_DOMAINS, _name, 2),
    remote.CONNECT_NUM_OF_DEFINED_DOMAINS: _old(remote.CONNECT_LIST_ALL_DOMAINS, _name, 2),
    remote.CONNECT_LIST_NETWORKS: _old(remote.CONNECT_LIST_ALL_NETWORKS, _name, 2),
    remote.CONNECT_NUM_OF_NETWORKS: _old(remote.CONNECT_LIST_ALL_NETWORKS, _name, 2),
    remote.CONNECT_LIST_DEFINED_NETWORKS: _old(remote.CONNECT_LIST_ALL_NETWORKS, _name, 1),
    remote.CONNECT_NUM_OF_DEFINED_NETWORKS: _old(remote.CONNECT_LIST_ALL_NETWORKS, _name, 1),
    remote.CONNECT_LIST_STORAGE_POOLS: _old(remote.CONNECT_LIST_ALL_STORAGE_POOLS, _name, 2),
    remote.CONNECT_NUM_OF_STORAGE_POOLS: _old(remote.CONNECT_LIST_ALL_STORAGE_POOLS, _name, 2),
    remote.CONNECT_LIST_DEFINED_STORAGE_POOLS: _old(remote.CONNECT_LIST_ALL_STORAGE_POOLS, _name, 1),
    remote.CONNECT_NUM_OF_DEFINED_STORAGE_POOLS: _old(remote.CONNECT_LIST_ALL_STORAGE_POOLS, _name, 1),
    remote.CONNECT_LIST_INTERFACES: _old(remote.CONNECT_LIST_ALL_INTERFACES, _name, 2),
    remote.CONNECT_NUM_OF_INTERFACES: _old(remote.CONNECT_LIST_ALL_INTERFACES, _name, 2),
    remote.CONNECT_LIST_DEFINED_INTERFACES: _old(remote.CONNECT_LIST_ALL_INTERFACES, _name, 1),
    remote.CONNECT_NUM_OF_DEFINED_INTERFACES: _old(remote.CONNECT_LIST_ALL_INTERFACES, _name, 1),
    remote.CONNECT_LIST_SECRETS: _old(remote.CONNECT_LIST_ALL_SECRETS, lambda reference: uuid_text(reference.uuid)),
    remote.CONNECT_NUM_OF_SECRETS: _old(remote.CONNECT_LIST_ALL_SECRETS, lambda reference: reference.uuid),
    remote.CONNECT_LIST_NWFILTERS: _old(remote.CONNECT_LIST_ALL_NWFILTERS, _name),
    remote.CONNECT_NUM_OF_NWFILTERS: _old(remote.CONNECT_LIST_ALL_NWFILTERS, _name),
    remote.STORAGE_POOL_LIST_VOLUMES: _VOLUMES,
    remote.STORAGE_POOL_NUM_OF_VOLUMES: _VOLUMES,
    remote.NODE_LIST_DEVICES: _DEVICES,
    remote.NODE_NUM_OF_DEVICES: _DEVICES,
}
# The most entries of an old answer.
_LONGEST: Mapping[Procedure[Any, Any], int] = {remote.NODE_LIST_DEVICES: remote.NODE_DEVICE_LIST_MAX}
_LIST_MAX = 16384


def is_list(procedure: Procedure[Any, Any]) -> bool:
    """Whether what a procedure answers is to be filtered (its registrations of events are not lists)."""
    return bool(procedure.aclfilter) and procedure.edge is None


async def prepare(judge: Judge, request: Request) -> bool:
    """Before the daemon is asked: answer an old list, and ask for what must be seen to be counted.

    Returns whether the client wants no more than the number.
    """
    if request.procedure in _OLD:
        await _answer_old(judge, request)
    elif request.procedure is remote.CONNECT_GET_ALL_DOMAIN_STATS:
        await _leave_out_of_stats(judge, request)
    elif request.args.need_results == 0:
        request.replace(_with(request.args, need_results=1))
        return True
    return False


async def judge_list(judge: Judge, request: Request, counts: bool, frame: Frame) -> Frame:
    """A list as the client may have it."""
    if frame.status != OK:
        return frame
    answer = decoded(request, frame)
    if request.procedure is remote.CONNECT_GET_ALL_DOMAIN_STATS:
        kept = await _visible(judge, request.procedure, answer.ret_stats, lambda record: record.dom)
        return _reply(request, remote.ConnectGetAllDomainStatsRet(ret_stats=kept))
    field = next(field.name for field in fields_of(request.procedure.ret) if field.many)
    kept = await _visible(judge, request.procedure, getattr(answer, field), lambda reference: reference)
    return _reply(request, _with(answer, **{field: [] if counts else kept, "ret": len(kept)}))


async def _answer_old(judge: Judge, request: Request) -> None:
    procedure, args = request.procedure, request.args
    old = _OLD[procedure]
    room = _room(procedure, args)
    answer = await judge.session.pipeline.ask(old.modern, old.ask(args))
    found = next(value for value in answer if isinstance(value, list))
    if old is _DEVICES:
        found = [remote.NonnullNodeDevice(name=name) for name in found]
    kept = await _visible(judge, procedure, found, lambda reference: reference)
    result: Any = procedure.ret
    entries = [old.entry(reference) for reference in kept]
    answer = result(len(entries)) if room is None else result(entries[:room])
    judge.session.pipeline.serve(request, reply_to(request.frame, encode(answer)))


def _room(procedure: Procedure[Any, Any], args: Any) -> int | None:
    """How many entries the client has room for; None where it asks for their number. VirtError if that cannot be."""
    field = next((name for name in ("maxnames", "maxids", "maxuuids") if hasattr(args, name)), None)
    if field is None:
        return None
    room: int = getattr(args, field)
    most = _LONGEST.get(procedure, _LIST_MAX)
    if not 0 <= room <= most:
        raise errors.rpc(f"{field} must be from 0 to {most}, not {room}")
    return room


async def _leave_out_of_stats(judge: Judge, request: Request) -> None:
    """Guests that are asked for by name and must not be seen are left out, as those that are not there."""
    args = request.args
    if not args.doms or not judge.hides:
        return
    kept = []
    for reference in args.doms:
        case = Case()
        try:
            thing = await judge.resolve(ref_of(reference), case)
        except VirtError as error:
            if error.code != ABSENT["domain"]:
                raise
            continue
        if await judge.may(_permissions(judge, request.procedure), thing):
            kept.append(reference)
    if not kept:
        # No guests at all would mean all of them.
        empty = encode(remote.ConnectGetAllDomainStatsRet(ret_stats=[]))
        judge.session.pipeline.serve(request, reply_to(request.frame, empty))
    elif len(kept) < len(args.doms):
        request.replace(_with(args, doms=kept))


async def _visible(
    judge: Judge, procedure: Procedure[Any, Any], entries: Sequence[Any], reference: Callable[[Any], Any]
) -> list[Any]:
    """The entries whose things the caller may know of."""
    within = await _pools(judge, [reference(entry) for entry in entries])
    place = judge.place(procedure.family)
    things = [
        described(place, reference(entry), within.get(getattr(reference(entry), "pool", ""))) for entry in entries
    ]
    known = [(entry, thing) for entry, thing in zip(entries, things, strict=True) if thing is not None]
    seen = await judge.visible(_permissions(judge, procedure), [thing for _, thing in known])
    return [entry for (entry, _), visible in zip(known, seen, strict=True) if visible]


async def _pools(judge: Judge, references: Sequence[Any]) -> dict[str, Thing]:
    """The pools of volumes, by name: rules may be about a pool's UUID, which a volume's reference lacks."""
    names = {reference.pool for reference in references if isinstance(reference, remote.NonnullStorageVol)}
    pools = {}
    for name in names:
        known = await judge.directory("storage_pool").find(Ref("storage_pool", "name", name))
        if known is not None:
            pools[name] = known.thing
    return pools


def _permissions(judge: Judge, procedure: Procedure[Any, Any]) -> tuple[str, ...]:
    """What the caller must have on each thing of a list."""
    needed = {rule.permission for rule in rules_of(procedure.aclfilter)}
    return tuple(sorted(needed | ({"getattr"} if judge.hides else set())))


def _with(value: Any, **changes: Any) -> Any:
    """A struct with some fields changed."""
    kept = {name: getattr(value, name) for name in type(value).__match_args__}
    return type(value)(**{**kept, **{name: new for name, new in changes.items() if name in kept}})


def _reply(request: Request, answer: Any) -> Frame:
    return reply_to(request.frame, encode(answer))
