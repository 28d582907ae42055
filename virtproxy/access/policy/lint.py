# SPDX-License-Identifier: LGPL-2.1-or-later
"""What in a policy is allowed and yet hardly meant: rules that do nothing, and things that are easily overlooked.

`document.py` calls it for a policy without errors; the warnings go to `virtproxy policy check` and to the log.
"""

from __future__ import annotations

from virtproxy.access.policy.permissions import ALL, REACH, Permission, spell
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.rules import Deny, Grant, Rule
from virtproxy.access.policy.source import Source
from virtproxy.access.policy.things import Things
from virtproxy.toml.positions import Path


def warn(policy: Policy, source: Source) -> None:
    """Note the warnings in the source."""
    _about_getattr(source, policy.grants)
    first: dict[object, Grant] = {}
    denies = [deny for deny in policy.denies if not deny.on]
    for number, grant in enumerate(policy.grants):
        _about_grant(source, ("grant", number), grant, denies)
        twin = first.setdefault(_meaning(grant), grant)
        if twin is not grant:
            source.warn(("grant", number), f"says the same as {twin.title}")
    for number, deny in enumerate(policy.denies):
        _about_things(source, ("deny", number), deny.on, deny.permissions, deny.permissions)
    _about_whole(source, policy)


def _about_grant(source: Source, place: Path, grant: Grant, denies: list[Deny]) -> None:
    """`denies` are those of everything."""
    given = _given(grant)
    _about_things(source, place, grant.on, given, given - REACH or given)
    for deny in denies:
        if _covers(deny, grant) and given <= deny.permissions:
            source.warn(place, f"can never grant anything: {deny.title} takes it all away")
    if any(role.documents for role in grant.roles) and grant.on:
        what = "admin on some things only may not lay claim to anything in documents: add a [[documents]]"
        source.warn((*place, "on"), what)


def _about_getattr(source: Source, grants: list[Grant]) -> None:
    """What is hidden cannot be used: every grant needs getattr, by itself or by another for the same callers."""
    have: dict[str, set[Permission]] = {}
    for grant in grants:
        for subject in grant.to:
            have.setdefault(subject.name, set()).update(_given(grant))
    for number, grant in enumerate(grants):
        known = have.get("everyone", set()).union(*(have[subject.name] for subject in grant.to))
        lacking = {("connect", "getattr"), *((kind, "getattr") for kind, _ in _given(grant))} - known
        if lacking:
            told = ", ".join(sorted(map(spell, lacking)))
            source.warn(("grant", number), f"is of no use to those who lack {told}, and no rule for them grants it")


def _given(grant: Grant) -> frozenset[Permission]:
    return frozenset[Permission]().union(*(part.permissions for part in grant.parts()))


def _about_things(
    source: Source, place: Path, on: tuple[Things, ...], given: frozenset[Permission], aimed: frozenset[Permission]
) -> None:
    kinds = {kind for kind, _ in aimed}
    for number, things in enumerate(on):
        if things.kinds and not things.kinds & {kind for kind, _ in given}:
            wrong = ", ".join(sorted(things.kinds))
            source.warn((*place, "on", number), f"none of the permissions here is about {wrong}")
        elif things.kinds and not things.kinds & kinds:
            source.warn((*place, "on", number), "only lets the connection be used: no permission is about these things")


def _about_whole(source: Source, policy: Policy) -> None:
    if not policy.grants:
        source.warn((), "grants nothing to anybody: all calls will be refused")
    elif not any(part.permissions >= ALL and not grant.on for grant in policy.grants for part in grant.parts()):
        source.warn((), 'nobody is an admin of everything: give it to somebody, such as to = ["user:root"]')
    owners = [grant for grant in policy.grants if any(role.owned for role in grant.roles)]
    if owners and not policy.documents:
        source.warn(
            (), "lets some own things, yet has no [[documents]]: they cannot define a guest with a disk or a network"
        )


def _covers(one: Rule, other: Rule) -> bool:
    """Whether every caller that `other` is for is one of `one`'s, as far as names tell."""
    names = {subject.name for subject in one.to}
    return not one.but and ("everyone" in names or {subject.name for subject in other.to} <= names)


def _meaning(grant: Grant) -> object:
    """What is equal for grants that say the same."""
    to, but = ({subject.name for subject in subjects} for subjects in (grant.to, grant.but))
    return frozenset(to), frozenset(but), frozenset(grant.roles), grant.permissions, frozenset(grant.on)
