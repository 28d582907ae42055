# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much one owner may have: guests, virtual processors, memory, volumes.

The caller of `over` counts what the owner has; nothing here does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

from virtproxy.access.policy.rules import QuotaRule

_SIZE = re.compile(r"(\d{1,12})\s*([KMGTP]i?B|B)")
_UNITS = {"B": 1, **{f"{letter}iB": 1 << 10 * n for n, letter in enumerate("KMGTP", 1)}}
_UNITS |= {f"{letter}B": 1000**n for n, letter in enumerate("KMGTP", 1)}


@dataclass(frozen=True, slots=True)
class Usage:
    """What one owner has, or would have: numbers, and bytes of memory and of volumes' capacity."""

    guests: int = 0
    vcpus: int = 0
    memory: int = 0
    volumes: int = 0


MEASURES = tuple(field.name for field in fields(Usage))
_PHRASES = {"guests": "guests", "vcpus": "vCPUs", "memory": "bytes of memory", "volumes": "bytes of volumes"}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so much, and by which rule ("policy.toml:40 quota of students")."""

    most: int
    rule: str


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of one caller; None where there is none. They hold for all that has the same owner."""

    guests: Limit | None = None
    vcpus: Limit | None = None
    memory: Limit | None = None
    volumes: Limit | None = None

    def over(self, usage: Usage) -> tuple[str, str] | None:
        """What is too much in `usage`, in a phrase, and the rule that says so; None if nothing is."""
        for measure in MEASURES:
            limit: Limit | None = getattr(self, measure)
            wanted: int = getattr(usage, measure)
            if limit is not None and wanted > limit.most:
                return f"quota of {limit.most} {_PHRASES[measure]} ({wanted} wanted)", limit.rule
        return None

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(getattr(self, measure) is not None for measure in MEASURES)


UNLIMITED = Quota()


def strictest(rules: Iterable[QuotaRule]) -> Quota:
    """All of the rules hold: of each measure the lowest limit."""
    lowest: dict[str, Limit] = {}
    for rule in sorted(rules, key=lambda rule: rule.line):
        for measure, most in rule.limits.items():
            if measure not in lowest or most < lowest[measure].most:
                lowest[measure] = Limit(most, rule.title)
    return Quota(**lowest)


def size(text: str) -> int | None:
    """The bytes of "16GiB" or "500 GB"; None if it is no such size."""
    found = _SIZE.fullmatch(text)
    return int(found.group(1)) * _UNITS[found.group(2)] if found else None
