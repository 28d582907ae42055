# SPDX-License-Identifier: LGPL-2.1-or-later
"""What one caller may do, gathered once from all the rules that are for it, and asked again and again.

`policy.py` makes a profile and keeps it; callers who cannot be told apart share one. This is how it is decided about
a permission on a thing:

1. A deny that is for the caller, the permission and the thing (or a thing of which that is not known) refuses.
2. Else a grant that is for all three grants.
3. Else it is refused.

So the order of rules never matters, more denies never grant, and who is not named has nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from virtproxy.access.claims.kinds import KINDS
from virtproxy.access.claims.model import Claim, refusal
from virtproxy.access.decision import GRANTED, Decision, Thing
from virtproxy.access.policy.permissions import REACH, Permission
from virtproxy.access.policy.quotas import Quota, strictest
from virtproxy.access.policy.rules import Deny, Documents, Grant, Pattern, QuotaRule, Rule
from virtproxy.access.policy.things import Things, describe

# Decisions remembered for one caller, then all are forgotten.
DECISIONS_MAX = 2048


@dataclass(frozen=True, slots=True)
class Granting:
    """One grant of one permission: on which things, on owned ones alone, or only over which connections."""

    title: str
    on: tuple[Things, ...]
    owned: bool
    reach: bool

    def includes(self, thing: Thing, owner: str | None) -> bool:
        """Whether it grants the permission on the thing."""
        if self.owned and (owner is None or thing.owner != owner):
            return False
        if not self.on:
            return True
        if self.reach:
            return any(things.reaches(thing) for things in self.on)
        return any(things.includes(thing, owner) for things in self.on)

    @property
    def always(self) -> bool:
        """Whether it grants the permission on every thing there can be."""
        return not self.owned and not self.on

    def plain_names(self) -> tuple[str, ...]:
        """The names of all things it can be for; () if they cannot be told."""
        if self.reach or not all(things.plain_names() for things in self.on):
            return ()
        return tuple(name for things in self.on for name in things.plain_names())


def grantings(grant: Grant, permission: Permission) -> list[Granting]:
    """How a grant grants a permission: once for each role that has it."""
    reach = permission in REACH
    on = grant.on if reach else _of_kind(grant.on, permission[0])
    if grant.on and not on:
        return []
    return [
        Granting(grant.title, on, role.owned and not reach, reach)
        for role in grant.parts()
        if permission in role.permissions
    ]


def _of_kind(on: tuple[Things, ...], kind: str) -> tuple[Things, ...]:
    return tuple(things for things in on if not things.kinds or kind in things.kinds)


class _Cell:
    """Everything about one permission, for one caller."""

    __slots__ = ("always", "by_name", "denies", "others", "permission")

    def __init__(self, permission: Permission, denies: Sequence[Deny], grants: Sequence[Grant]) -> None:
        self.permission = permission
        self.denies = [rule for rule in denies if permission in rule.permissions]
        self.by_name: dict[str, list[Granting]] = {}
        self.others: list[Granting] = []
        for granting in [found for grant in grants for found in grantings(grant, permission)]:
            names = granting.plain_names()
            if not names:
                self.others.append(granting)
            for name in names:
                self.by_name.setdefault(name, []).append(granting)
        self.always = self._always()

    def _always(self) -> bool | None:
        if any(not rule.on for rule in self.denies) or not (self.others or self.by_name):
            return False
        return True if not self.denies and any(granting.always for granting in self.others) else None

    def decide(self, thing: Thing, owner: str | None) -> Decision:
        for deny in self.denies:
            if denied(deny, thing, owner):
                return Decision(False, deny.title, self._missing(thing))
        named = self.by_name.get(thing.name, ()) if thing.name is not None else ()
        for granting in (*named, *self.others):
            if granting.includes(thing, owner):
                return Decision(True, granting.title)
        return Decision(False, "no grant", self._missing(thing))

    def _missing(self, thing: Thing) -> str:
        return f"{self.permission[0]}:{self.permission[1]} on {describe(thing)}"


def denied(deny: Deny, thing: Thing, owner: str | None) -> bool:
    """Whether a deny is for the thing, as far as anybody knows."""
    return not deny.on or any(things.includes(thing, owner) is not False for things in deny.on)


class Profile:
    """All that the rules which are for a caller say, for one who owns things as `owner`."""

    def __init__(self, rules: Sequence[Rule], owner: str | None, report: bool) -> None:
        self.owner = owner
        self.quota: Quota = strictest(rule for rule in rules if isinstance(rule, QuotaRule))
        self._report = report
        self._denies = [rule for rule in rules if isinstance(rule, Deny)]
        self._grants = [rule for rule in rules if isinstance(rule, Grant)]
        self._documents = [rule for rule in rules if isinstance(rule, Documents)]
        self.unlimited = any(role.documents for rule in self._grants if not rule.on for role in rule.roles) or any(
            rule.all for rule in self._documents
        )
        self._cells: dict[Permission, _Cell] = {}
        self._decisions: dict[tuple[str, Thing], Decision] = {}

    def _cell(self, kind: str, permission: str) -> _Cell:
        cell = self._cells.get((kind, permission))
        if cell is None:
            cell = self._cells[kind, permission] = _Cell((kind, permission), self._denies, self._grants)
        return cell

    def always(self, kind: str, permission: str) -> bool | None:
        """As `Decider.always`; what is only reported is never refused beforehand."""
        answer = self._cell(kind, permission).always
        return None if self._report and not answer else answer

    def decide(self, permission: str, thing: Thing) -> Decision:
        """As `Decider.decide`."""
        decision = self._decisions.get((permission, thing))
        if decision is None:
            decision = self._pretend(self._cell(thing.kind, permission).decide(thing, self.owner))
            if len(self._decisions) >= DECISIONS_MAX:
                self._decisions.clear()
            self._decisions[permission, thing] = decision
        return decision

    def judge(self, claims: Sequence[Claim]) -> Decision:
        """Granted if every claim is."""
        if self.unlimited or not claims:
            return GRANTED
        granted_by: dict[str, None] = {}
        for claim in claims:
            rule = self.claim_rule(claim)
            if rule is None:
                return self._pretend(Decision(False, f"no documents rule for {claim.key}", refusal(claim)))
            granted_by[rule] = None
        return Decision(True, ", ".join(granted_by))

    def claim_rule(self, claim: Claim) -> str | None:
        """The rule that grants a claim; None if none does."""
        kind = KINDS[claim.kind]
        for rule in self._documents:
            for key in (kind.key, *kind.also):
                if key in rule.allowed and _allows(rule.allowed[key], claim.value, kind.path):
                    return rule.title
        return None

    def _pretend(self, decision: Decision) -> Decision:
        if decision.granted or not self._report:
            return decision
        return Decision(True, decision.rule, decision.missing, pretended=True)


def _allows(patterns: tuple[Pattern, ...] | None, value: str, path: bool) -> bool:
    if patterns is None:
        return True
    return any(pattern.path(value) if path else pattern.word(value) for pattern in patterns)
