# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a rule is about: conditions on the thing that a permission is asked for.

A condition on what is not known of a thing is neither true nor false; a grant takes that for no, a refusal for yes.
"""

from __future__ import annotations

from dataclasses import dataclass

from virtproxy.access.decision import Thing
from virtproxy.access.policy.patterns import is_exact, name_matcher

_WITH_UUID = frozenset({"domain", "network", "network_port", "nwfilter", "secret", "storage_pool"})


@dataclass(frozen=True, slots=True)
class Things:
    """A set of things: of these kinds, with names and so on that match one of these patterns; empty is any.

    `owned`: that the caller owns (True), that it does not (False), either (None). `pools` are names of storage pools
    and mean their volumes too, `networks` mean their ports too.
    """

    kinds: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    uuids: frozenset[str] = frozenset()
    uris: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    owned: bool | None = None

    def includes(self, thing: Thing, owner: str | None) -> bool | None:
        """Whether the thing is meant, for a caller who owns as `owner`; None if that cannot be known."""
        if self.kinds and thing.kind not in self.kinds:
            return False
        if self.owned is not None and (owner is not None and thing.owner == owner) is not self.owned:
            return False
        found = [
            False if self.names and thing.kind == "connect" else _matches(self.names, thing.name),
            _matches(self.uris, thing.uri),
            _matches(self.drivers, thing.driver.lower()),
            _within(self.pools, thing, "storage_pool", "storage_vol", "pool_name"),
            _within(self.networks, thing, "network", "network_port", "network_name"),
            self._has_uuid(thing),
        ]
        return False if False in found else None if None in found else True

    def _has_uuid(self, thing: Thing) -> bool | None:
        if not self.uuids:
            return True
        if thing.uuid is None:
            return None if thing.kind in _WITH_UUID else False
        return thing.uuid.lower() in self.uuids

    def reaches(self, thing: Thing) -> bool:
        """Whether the things are to be had over this connection."""
        return bool(_matches(self.uris, thing.uri)) and bool(_matches(self.drivers, thing.driver.lower()))

    def plain_names(self) -> tuple[str, ...]:
        """The only names that its things can have; () if there are others."""
        return self.names if all(map(is_exact, self.names)) else ()

    def __str__(self) -> str:
        said = [f"{key} {' or '.join(values)}" for key, values in self._said() if values]
        owned = {True: "owned", False: "not owned", None: ""}[self.owned]
        return ", ".join(filter(None, [*said, owned]))

    def _said(self) -> list[tuple[str, tuple[str, ...]]]:
        return [
            ("kind", tuple(sorted(self.kinds))),
            ("name", self.names),
            ("uuid", tuple(sorted(self.uuids))),
            ("uri", self.uris),
            ("driver", self.drivers),
            ("pool", self.pools),
            ("network", self.networks),
        ]


def describe(thing: Thing) -> str:
    """A thing in words: "domain 'web1'"."""
    kind = thing.kind.replace("_", " ")
    if thing.kind == "connect":
        return f"connection {thing.uri}"
    named = thing.name if thing.name is not None else thing.uuid
    return kind if named is None else f"{kind} '{named}'"


def _matches(globs: tuple[str, ...], text: str | None) -> bool | None:
    if not globs:
        return True
    return None if text is None else any(name_matcher(glob)(text) for glob in globs)


def _within(globs: tuple[str, ...], thing: Thing, kind: str, member: str, detail: str) -> bool | None:
    """Whether a thing is one of this kind, or in one, whose name matches."""
    if not globs:
        return True
    if thing.kind == kind:
        return _matches(globs, thing.name)
    return _matches(globs, dict(thing.details).get(detail)) if thing.kind == member else False
