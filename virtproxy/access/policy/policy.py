# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole policy: its rules, and what they say for each caller.

`load.py` makes it of a file, `decider.py` hands it to the stages. It never changes; a changed file is a new policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, TypeVar

from virtproxy.access.policy.profile import Profile
from virtproxy.access.policy.roles import Role
from virtproxy.access.policy.rules import Deny, Documents, Grant, QuotaRule, Rule
from virtproxy.access.policy.subjects import Subject
from virtproxy.access.policy.who import GroupsOf, Who, who_is
from virtproxy.identity import Identity
from virtproxy.toml.source import Problem

# Callers remembered; every connection over UNIX sockets is one.
CALLERS_MAX = 8192
_serials = count(1)
K = TypeVar("K")
V = TypeVar("V")


class Standing(NamedTuple):
    """How a caller stands with a policy: who it is, the numbers of the rules that are for it, and what they say."""

    who: Who
    rules: frozenset[int]
    profile: Profile


@dataclass(slots=True, eq=False)
class Policy:
    """The rules of one file. `report`: what they refuse is only told. `serial` differs between any two policies.

    `digest` is the SHA-256 of the text.
    """

    path: str
    digest: bytes
    report: bool
    subjects: Mapping[str, Subject]
    roles: Mapping[str, Role]
    rules: tuple[Rule, ...]
    groups_of: GroupsOf
    uses_groups: bool = False
    warnings: tuple[Problem, ...] = ()
    serial: int = field(default_factory=lambda: next(_serials))
    _callers: dict[Identity, Standing] = field(default_factory=dict)
    _standings: dict[Who, Standing] = field(default_factory=dict)
    _profiles: dict[tuple[frozenset[int], str | None], Profile] = field(default_factory=dict)

    def standing_of(self, identity: Identity) -> Standing:
        """How a caller stands; the same for a connection until it is forgotten."""
        standing = self._callers.get(identity)
        if standing is None:
            standing = self._found(who_is(identity, self.groups_of(identity) if self.uses_groups else frozenset()))
            _keep(self._callers, identity, standing)
        return standing

    def profile_of(self, identity: Identity) -> Profile:
        """What the rules say for a caller."""
        return self.standing_of(identity).profile

    def _found(self, who: Who) -> Standing:
        standing = self._standings.get(who)
        if standing is None:
            rules = frozenset(number for number, rule in enumerate(self.rules) if rule.is_for(who))
            standing = Standing(who, rules, self._profile(rules, who.owner))
            _keep(self._standings, who, standing)
        return standing

    def _profile(self, numbers: frozenset[int], owner: str | None) -> Profile:
        profile = self._profiles.get((numbers, owner))
        if profile is None:
            profile = Profile([self.rules[number] for number in sorted(numbers)], owner, self.report)
            _keep(self._profiles, (numbers, owner), profile)
        return profile

    @property
    def grants(self) -> list[Grant]:
        """The grants, in the order of the file."""
        return [rule for rule in self.rules if isinstance(rule, Grant)]

    @property
    def denies(self) -> list[Deny]:
        """The denies, in the order of the file."""
        return [rule for rule in self.rules if isinstance(rule, Deny)]

    @property
    def documents(self) -> list[Documents]:
        """The rules on documents, in the order of the file."""
        return [rule for rule in self.rules if isinstance(rule, Documents)]

    @property
    def quotas(self) -> list[QuotaRule]:
        """The quotas, in the order of the file."""
        return [rule for rule in self.rules if isinstance(rule, QuotaRule)]


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= CALLERS_MAX:
        cache.clear()
    cache[key] = value
