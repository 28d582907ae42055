# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who a rule is for: conditions on a caller, put together to subjects.

`who.py` says what there is to know of a caller. The conditions of one table must all hold, several values of one
condition are alternatives, and so are several tables of one subject.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from virtproxy.access.policy.patterns import name_matcher
from virtproxy.access.policy.who import Who


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold of a caller; `phrase` says it to people ("group is ops")."""

    phrase: str
    holds: Callable[[Who], bool] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """A set of callers. `ways`: conditions that must all hold, in each of several ways to be meant."""

    name: str
    ways: tuple[tuple[Condition, ...], ...]

    def includes(self, who: Who) -> bool:
        """Whether the caller is meant."""
        return any(all(condition.holds(who) for condition in way) for way in self.ways)

    def why_not(self, who: Who) -> str:
        """Which conditions do not hold, for people."""
        missing = [" and ".join(c.phrase for c in way if not c.holds(who)) for way in self.ways]
        return f"{self.name} is not meant: not {', nor '.join(missing)}"


def everyone() -> Subject:
    """Every caller, whoever it is."""
    return Subject("everyone", ((),))


def _one_of(key: str, values: Sequence[str], read: Callable[[Who], object]) -> Condition:
    wanted = frozenset(values)
    return Condition(f"{key} is {_listed(values)}", lambda who: read(who) in wanted)


def _like(key: str, globs: Sequence[str], read: Callable[[Who], tuple[str, ...]]) -> Condition:
    matchers = [name_matcher(glob) for glob in globs]
    return Condition(
        f"{key} is {_listed(globs)}", lambda who: any(matches(text) for text in read(who) for matches in matchers)
    )


def _listed(values: Sequence[object]) -> str:
    return " or ".join(map(str, values))


def uids(values: Sequence[int]) -> Condition:
    """The user's number is one of these."""
    wanted = frozenset(values)
    return Condition(f"uid is {_listed(values)}", lambda who: who.uid in wanted)


def addresses(values: Sequence[str]) -> Condition:
    """The peer's address is in one of these networks. ValueError if one is none ("10.0.0.0/8")."""
    networks: list[IPv4Network | IPv6Network] = [ip_network(value) for value in values]
    return Condition(
        f"address is in {_listed(values)}",
        lambda who: who.ip is not None and any(who.ip in network for network in networks),
    )


def readonly(value: bool) -> Condition:
    """The caller came by the read-only socket, or did not."""
    return Condition(f"readonly is {str(value).lower()}", lambda who: who.readonly is value)


def any_of(subjects: Sequence[Subject]) -> Condition:
    """The caller is in one of these other subjects."""
    phrase = f"subject is {_listed([subject.name for subject in subjects])}"
    return Condition(phrase, lambda who: any(subject.includes(who) for subject in subjects))


def _texts(*values: str | None) -> tuple[str, ...]:
    return tuple(value for value in values if value is not None)


# What a rule can say of a caller with strings: each makes a condition of the values. ValueError if one cannot be.
BY_TEXT: dict[str, Callable[[Sequence[str]], Condition]] = {
    "user": lambda values: _one_of("user", values, lambda who: who.user),
    "group": lambda values: Condition(
        f"group is {_listed(values)}",
        lambda who, wanted=frozenset(values): not wanted.isdisjoint(who.groups),  # type: ignore[misc]
    ),
    "sasl": lambda values: _like("sasl", values, lambda who: who.sasl),
    "realm": lambda values: _one_of("realm", values, lambda who: who.realm),
    "mechanism": lambda values: _one_of("mechanism", values, lambda who: who.mechanism),
    "x509": lambda values: _like("x509", values, lambda who: _texts(who.x509)),
    "san": lambda values: _like("san", values, lambda who: who.sans),
    "transport": lambda values: _one_of("transport", values, lambda who: who.transport),
    "address": addresses,
}
EXACT = frozenset({"user", "group", "realm", "mechanism"})
TRANSPORTS = ("unix", "tcp", "tls")
