# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deciders that tests write down, and a scripted host with things of every kind behind a proxy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from virtproxy.access.decision import Decision, Thing
from virtproxy.identity import Identity

Rule = Callable[[str, Thing], bool]


class WrittenDecider:
    """Decides by a function of (permission, thing); `certain` by (kind, permission) is what `always` says."""

    def __init__(self, rule: Rule, certain: dict[tuple[str, str], bool] | None = None) -> None:
        self.rule = rule
        self.certain = certain or {}
        self.asked: list[tuple[str, Thing]] = []

    def profile(self, identity: Identity) -> Hashable:
        return id(self)

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        return self.certain.get((kind, permission))

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision | Coroutine[Any, Any, Decision]:
        self.asked.append((permission, thing))
        return Decision(self.rule(permission, thing), "the test's rule", f"{thing.kind}:{permission} on '{thing.name}'")


class SlowDecider(WrittenDecider):
    """The same, as one that has to ask somebody."""

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Coroutine[Any, Any, Decision]:
        return self._later(permission, thing)

    async def _later(self, permission: str, thing: Thing) -> Decision:
        self.asked.append((permission, thing))
        return Decision(self.rule(permission, thing), "the test's rule")


def hiding(*names: str) -> Rule:
    """Grants everything but on what has one of these names, or is in a pool or network of such a name."""

    def rule(permission: str, thing: Thing) -> bool:
        details = dict(thing.details)
        return not {thing.name, details.get("pool_name"), details.get("network_name")} & set(names)

    return rule
