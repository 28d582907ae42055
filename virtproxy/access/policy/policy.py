# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole policy: its rules, and what they say for each caller.

`load.py` makes it of a file, `decider.py` hands it to the stages. It never changes; a changed file is a new policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from virtproxy.access.policy.profile import Profile
from virtproxy.access.policy.roles import Role
from virtproxy.access.policy.rules import Deny, Documents, Grant, QuotaRule, Rule
from virtproxy.access.policy.source import Problem
from virtproxy.access.policy.subjects import Subject
from virtproxy.access.policy.who import GroupsOf, who_is
from virtproxy.identity import Identity

# Callers remembered; every connection over UNIX sockets is one.
CALLERS_MAX = 8192
_serials = count(1)


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
    _callers: dict[Identity, Profile] = field(default_factory=dict)
    # Callers who differ in nothing that a rule could ask for share a profile.
    _profiles: dict[object, Profile] = field(default_factory=dict)

    def profile_of(self, identity: Identity) -> Profile:
        """What the rules say for a caller; the same object until it is forgotten."""
        profile = self._callers.get(identity)
        if profile is None:
            profile = self._new_profile(identity)
            if len(self._callers) >= CALLERS_MAX:
                self._callers.clear()
            self._callers[identity] = profile
        return profile

    def _new_profile(self, identity: Identity) -> Profile:
        who = who_is(identity, self.groups_of(identity) if self.uses_groups else frozenset())
        profile = self._profiles.get(who)
        if profile is None:
            profile = Profile(who, self.rules, self.report)
            if len(self._profiles) >= CALLERS_MAX:
                self._profiles.clear()
            self._profiles[who] = profile
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
