# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decides where a policy and polkit are both in force: what both grant is granted.

`daemon/rules.py` makes one. Two rules one after the other would not do: what is hidden by the policy must be hidden
before polkit can refuse it, and a list that one of them answers would never be seen by the other.
"""

from __future__ import annotations

from collections.abc import Coroutine, Hashable
from typing import Any

from virtproxy.access.decision import Decider, Decision, Thing
from virtproxy.identity import Identity


class BothDecider:
    """Implements decision.Decider: asks `first`, and `second` about what that grants."""

    # polkit's rules may change at any time, and nobody is told.
    asks_anew = True

    def __init__(self, first: Decider, second: Decider) -> None:
        self._first = first
        self._second = second

    @property
    def reporting(self) -> bool:
        """Whether the first refuses nothing; the second does."""
        return bool(getattr(self._first, "reporting", False))

    def profile(self, identity: Identity) -> Hashable:
        """Callers are alike if they are for both."""
        return (self._first.profile(identity), self._second.profile(identity))

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        """Certain is what one refuses always, or both grant always."""
        said = {decider.always(identity, kind, permission) for decider in (self._first, self._second)}
        return False if False in said else None if None in said else True

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision | Coroutine[Any, Any, Decision]:
        """The first refusal, else what the first says."""
        first = self._first.decide(identity, permission, thing)
        if isinstance(first, Decision) and not first.granted:
            return first
        return self._on(first, identity, permission, thing)

    async def _on(
        self, said: Decision | Coroutine[Any, Any, Decision], identity: Identity, permission: str, thing: Thing
    ) -> Decision:
        first = said if isinstance(said, Decision) else await said
        if not first.granted:
            return first
        asked = self._second.decide(identity, permission, thing)
        second = asked if isinstance(asked, Decision) else await asked
        return first if second.granted else second
