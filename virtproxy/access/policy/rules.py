# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of a policy as they are after its text was checked: grants, denies, documents, quotas.

`document.py` makes them, `profile.py` gathers those that are for one caller, `explain.py` tells of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from virtproxy.access.policy.patterns import Matcher
from virtproxy.access.policy.permissions import Permission
from virtproxy.access.policy.roles import Role
from virtproxy.access.policy.subjects import Subject
from virtproxy.access.policy.things import Things
from virtproxy.access.policy.who import Who


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What all rules have: a place ("policy.toml:12") and callers that they are for."""

    place: str
    line: int
    to: tuple[Subject, ...]
    but: tuple[Subject, ...]

    @property
    def title(self) -> str:
        """What a decision calls it."""
        return f"{self.place} rule for {self.names}"

    def is_for(self, who: Who) -> bool:
        """Whether the rule is for this caller."""
        return any(s.includes(who) for s in self.to) and not any(s.includes(who) for s in self.but)

    def why_not(self, who: Who) -> str:
        """Why it is not, for people."""
        if any(subject.includes(who) for subject in self.to):
            return f"it is not for {_names(self.but)}"
        return "; ".join(subject.why_not(who) for subject in self.to)

    @property
    def names(self) -> str:
        """For whom it is, in words."""
        return _names(self.to) + (f" except {_names(self.but)}" if self.but else "")


@dataclass(frozen=True, slots=True, eq=False)
class Grant(Rule):
    """Roles and single permissions, on some things or, where `on` is empty, on all."""

    roles: tuple[Role, ...]
    permissions: frozenset[Permission]
    on: tuple[Things, ...]

    @property
    def title(self) -> str:
        """What a decision calls it."""
        what = [role.name for role in self.roles] + (["permissions"] if self.permissions else [])
        return f"{self.place} grant {' and '.join(what)} to {self.names}"

    def parts(self) -> list[Role]:
        """What it grants as roles; its single permissions are one without a name."""
        return [*self.roles, Role("", self.permissions)] if self.permissions else list(self.roles)


@dataclass(frozen=True, slots=True, eq=False)
class Deny(Rule):
    """Permissions that nobody it is for has on these things, whatever is granted."""

    permissions: frozenset[Permission]
    on: tuple[Things, ...]

    @property
    def title(self) -> str:
        """What a decision calls it."""
        return f"{self.place} deny to {self.names}"


@dataclass(frozen=True, slots=True, eq=False)
class Documents(Rule):
    """What documents may lay claim to: patterns by key of `claims.kinds`; None is any value. `all`: any at all."""

    all: bool
    allowed: Mapping[str, tuple[Pattern, ...] | None]

    @property
    def title(self) -> str:
        """What a decision calls it."""
        return f"{self.place} documents of {self.names}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of claims' values, as written and for paths and for other words."""

    written: str
    path: Matcher = field(compare=False)
    word: Matcher = field(compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class QuotaRule(Rule):
    """How much each owner that it is for may have: limits by the names of `quotas.MEASURES`."""

    limits: Mapping[str, int]

    @property
    def title(self) -> str:
        """What a decision calls it."""
        return f"{self.place} quota of {self.names}"


def _names(subjects: tuple[Subject, ...]) -> str:
    return ", ".join(subject.name for subject in subjects)
