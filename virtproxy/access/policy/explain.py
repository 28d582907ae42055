# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells why a policy decides as it does: which rule it is, and why each other one is not.

`virtproxy policy explain` prints it. The decision itself is the decider's own; only the reasons are found out here.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtproxy.access.decision import Decision, Thing
from virtproxy.access.policy.permissions import Permission, spell
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.profile import denied, grantings
from virtproxy.access.policy.rules import Deny, Grant
from virtproxy.access.policy.things import Things
from virtproxy.access.policy.who import Who
from virtproxy.identity import Identity


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule says to a question: whether it applies, and why (not). `caller`: whether it is for the caller."""

    rule: str
    applies: bool
    why: str
    caller: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision about one permission on one thing, and what each rule has to do with it, in the file's order."""

    permission: str
    decision: Decision
    reasons: tuple[Reason, ...]


def explain(policy: Policy, identity: Identity, permission: Permission, thing: Thing) -> Explanation:
    """Why the caller has the permission on the thing, or has not."""
    who, _, profile = policy.standing_of(identity)
    decision = profile.decide(permission[1], thing)
    rules: list[Grant | Deny] = sorted([*policy.denies, *policy.grants], key=lambda rule: rule.line)
    reasons = [_reason(rule, who, permission, thing) for rule in rules]
    return Explanation(spell(permission), decision, tuple(reasons))


def _reason(rule: Grant | Deny, who: Who, permission: Permission, thing: Thing) -> Reason:
    if not rule.is_for(who):
        return Reason(rule.title, False, rule.why_not(who), caller=False)
    if isinstance(rule, Deny):
        return _deny(rule, who.owner, permission, thing)
    found = grantings(rule, permission)
    if not any(permission in part.permissions for part in rule.parts()):
        return Reason(rule.title, False, f"it does not have {spell(permission)}")
    if any(granting.includes(thing, who.owner) for granting in found):
        return Reason(rule.title, True, f"it grants {spell(permission)} here")
    return Reason(rule.title, False, _why_not_here(rule, who.owner, thing))


def _deny(rule: Deny, owner: str | None, permission: Permission, thing: Thing) -> Reason:
    if permission not in rule.permissions:
        return Reason(rule.title, False, f"it does not deny {spell(permission)}")
    if denied(rule, thing, owner):
        sure = not rule.on or any(things.includes(thing, owner) for things in rule.on)
        why = "it is for this thing" if sure else "it may be for this thing, of which too little is known"
        return Reason(rule.title, True, why)
    return Reason(rule.title, False, f"it is for other things: {_listed(rule.on)}")


def _why_not_here(rule: Grant, owner: str | None, thing: Thing) -> str:
    if not rule.on or any(things.includes(thing, owner) for things in rule.on):
        belongs = f"belongs to {thing.owner}" if thing.owner else "belongs to nobody"
        return f"it counts on things that one owns, and this one {belongs}"
    return f"it is for other things: {_listed(rule.on)}"


def _listed(on: tuple[Things, ...]) -> str:
    return "; or ".join(map(str, on))
