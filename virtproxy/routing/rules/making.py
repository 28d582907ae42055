# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rules for calls that make things, or are about guests that lie saved in files of the host.

Whoever makes a thing needs the permissions on what it will be, which is its own then, and on whatever already has
its UUID or its name. What a hidden thing is called is not told by refusing to make it once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from virtproxy.access.decision import Decision, Thing
from virtproxy.access.naming import Naming, NamingError, naming
from virtproxy.access.objects import About, Ref, text_of
from virtproxy.access.rules import Rule
from virtproxy.access.things import to_be
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.routing.rules.judge import Case, Judge
from virtproxy.routing.stages import Request

_UNNAMED = Naming()
# What a new thing may collide with, by kind.
_COLLIDES = {
    "domain": ("uuid", "name"),
    "network": ("uuid", "name"),
    "storage_pool": ("uuid", "name"),
    "storage_vol": ("name",),
    "nwfilter": ("uuid", "name"),
    "secret": ("uuid",),
    "interface": ("name",),
}


async def judge_making(judge: Judge, request: Request, what: About, rules: list[Rule], case: Case) -> Thing | None:
    """Judge a call that makes something; VirtError refuses it. Returns the thing if it will be a new one."""
    kind = what.kind or ""
    place = judge.directory(kind).place
    within = next(
        (thing for thing in case.things if thing.kind in ("storage_pool", "network") and thing.kind != kind), None
    )
    found = _named(judge, kind, what, request, case)
    owner = None if judge.owners is None else judge.owners.key(judge.identity)
    new = to_be(place, kind, found, within, owner)
    # libvirt's own rules look at the document alone.
    there = await _there(judge, kind, found, within) if judge.hides else None
    if there is not None and there.uuid is not None and there.uuid == found.uuid:
        new = replace(new, owner=judge.owned(there).owner)
    case.things[:0] = [new] if there is None else [there]
    called = f"{kind.replace('_', ' ')} '{found.name or found.uuid or ''}'"
    for rule in rules:
        await judge.require(rule.permission, new, case)
        if there is not None:
            hidden = not await judge.sees(there)
            await judge.require(rule.permission, there, case, called if hidden else None)
    return new if there is None else None


async def _there(judge: Judge, kind: str, found: Naming, within: Thing | None) -> Thing | None:
    """What has the UUID or the name already."""
    directory = judge.directory(kind)
    for by in _COLLIDES.get(kind, ()):
        value = found.name if by == "name" else None if found.uuid is None else _uuid(found.uuid)
        if value is None:
            continue
        parent = None
        if kind == "storage_vol" and within is not None:
            parent = Ref("storage_pool", "name", within.name)
        known = await directory.find(Ref(kind, by, value, parent), within)
        if known is not None:
            return judge.owned(known.thing)
    return None


def _named(judge: Judge, kind: str, what: About, request: Request, case: Case) -> Naming:
    """How the thing will be called; not known, where that cannot be read and the rules refuse nothing."""
    try:
        return _naming(kind, what.made, request.args)
    except VirtError as error:
        if not judge.reports:
            raise
        case.decision = Decision(True, "no rule", str(error), pretended=True)
        judge.report(case.decision)
        return _UNNAMED


def _naming(kind: str, made: str | None, args: Any) -> Naming:
    """How the thing will be called: a migration's own name for it counts more than its document's."""
    document = "" if made is None else text_of(getattr(args, made), "destination_xml")
    name = getattr(args, "dname", None) or (text_of(args.params, "destination_name") if made == "params" else "")
    try:
        found = naming(kind, document) if document else _UNNAMED
        return replace(found, name=name) if name else found
    except NamingError as error:
        raise _unreadable(error) from None


def _unreadable(error: NamingError) -> VirtError:
    return VirtError.of(ErrorCode.XML_ERROR, str(error), domain=ErrorDomain.ACCESS)


async def judge_new_name(judge: Judge, case: Case, name: str, rules: list[Rule]) -> None:
    """A guest gets another name: it must be granted under that name too, and to whoever has the name already."""
    try:
        called = Naming(name)
    except NamingError as error:
        raise _unreadable(error) from None
    for thing in case.of("domain")[:1]:
        details = tuple((key, name if key == "domain_name" else value) for key, value in thing.details)
        there = await _there(judge, "domain", called, None)
        for rule in rules:
            await judge.require(rule.permission, replace(thing, name=name, details=details), case)
            if there is not None:
                hidden = not await judge.sees(there)
                await judge.require(rule.permission, there, case, f"domain '{name}'" if hidden else None)


async def judge_file(judge: Judge, request: Request, what: About, rules: list[Rule], case: Case) -> None:
    """Judge a call about a guest that is saved in a file; VirtError refuses it, the same whatever is in the file."""
    path = text_of(getattr(request.args, what.file or ""), "file")
    called = f"the guest saved in '{path}'"
    directory = judge.directory("domain")
    thing = Thing("domain", directory.place.driver, directory.place.uri)
    try:
        args = remote.DomainSaveImageGetXmlDescArgs(file=path, flags=0)
        answer = await directory.ask(remote.DOMAIN_SAVE_IMAGE_GET_XML_DESC, args)
        found = naming("domain", answer.xml)
    except (VirtError, NamingError) as error:
        # Whether there is such a file, and what is in it, is not told to who may not take it up.
        if not judge.hides and isinstance(error, VirtError):
            raise
        found = _UNNAMED
    thing = to_be(directory.place, "domain", found, None, None)
    there = await _there(judge, "domain", found, None) if found.uuid is not None else None
    things = [thing] if there is None else [replace(thing, owner=there.owner), there]
    case.things.extend(things)
    for rule in rules:
        for each in things:
            await judge.require(rule.permission, each, case, called)


def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))
