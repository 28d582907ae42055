# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the roles of a policy and the permissions that its rules write out.

`document.py` calls it. What is wrong is noted in the source.
"""

from __future__ import annotations

from typing import Any

from virtproxy.access.policy.permissions import KINDS, PERMISSIONS, SPELLED, Permission, expand
from virtproxy.access.policy.read_subjects import NAME
from virtproxy.access.policy.roles import BUILT_IN, Role, permission_set
from virtproxy.access.policy.source import NESTED_MAX, Source
from virtproxy.toml.positions import Path
from virtproxy.toml.source import Table, hint, shown

_KEYS = ("inherits", "permissions", "owned", "documents")


class Roles:
    """The roles of one policy, each read when it is first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        raw = source.tree.get("roles", {})
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            source.error(("roles",), f"roles must be tables [roles.NAME], not {shown(raw)}")
        self.found: dict[str, Role] = dict(BUILT_IN)
        self._reading: list[str] = []
        self.used: set[str] = set()

    def read_all(self) -> dict[str, Role]:
        """All roles. Call it after the rules: those that nobody used are warned of."""
        for name in self._raw:
            place = ("roles", name)
            if name in BUILT_IN:
                self._source.error(place, f"role {name} is ready-made; give yours another name")
            elif name not in self.used:
                self._source.warn(place, f"no rule grants role {shown(name)}")
            self._role(name, place)
        return self.found

    def listed(self, table: Table, key: str) -> tuple[Role, ...]:
        """The roles of a list."""
        found = [self._role(text, place) for place, text in table.texts(key)]
        return tuple(role for role in found if role is not None)

    def _role(self, name: str, place: Path) -> Role | None:
        if place[0] != "roles" or len(place) > 2:
            self.used.add(name)
        if name in self.found:
            return self.found[name]
        if name in self._reading:
            self._source.error(place, f"role {shown(name)} inherits itself: {shown(' -> '.join(self._reading))}")
            return None
        if name not in self._raw:
            near = hint(name, [*self._raw, *BUILT_IN])
            self._source.error(place, f"there is no role {shown(name)}{near}")
            return None
        if len(self._reading) == NESTED_MAX:
            self._source.error(place, f"roles are made of one another more than {NESTED_MAX} deep")
            return None
        self._reading.append(name)
        self.found[name] = self._defined(name)
        self._reading.pop()
        return self.found[name]

    def _defined(self, name: str) -> Role:
        table = Table(self._source, ("roles", name), self._raw[name], _KEYS)
        if not NAME.fullmatch(name):
            table.error(None, f"{shown(name)} cannot be a role's name: it may hold letters, digits, _ . and - alone")
        inherited = self.listed(table, "inherits")
        owned = table.flag("owned")
        limited = [role.name for role in inherited if role.owned]
        if limited and not owned:
            what = f"it inherits {limited[0]}, which counts on owned things alone"
            table.error("inherits", f"{what}: say owned = true, or grant both roles")
        given = permissions(table, "permissions", negative=True)
        start = frozenset[Permission]().union(*(role.permissions for role in inherited))
        found = permission_set(given, start)
        if not found:
            table.error(None, f"role {shown(name)} has no permissions")
        return Role(name, found, owned, table.flag("documents"))


def permissions(table: Table, key: str, *, negative: bool = False) -> list[str]:
    """The patterns of permissions in a list, those that name one; with "!" in front if `negative`."""
    found = []
    for place, text in table.texts(key):
        pattern = text.removeprefix("!") if negative else text
        if expand(pattern):
            found.append(text)
        else:
            table.source.error(place, _unknown(pattern))
    return found


def _unknown(text: str) -> str:
    if text.startswith("!"):
        return f"{shown(text)}: only a role can take permissions away; write a [[deny]]"
    kind, colon, name = text.partition(":")
    if not colon:
        return f'{shown(text)} is no permission; one is written "domain:start" or "domain:*"'
    if kind not in KINDS and kind != "*":
        return f"{shown(text)}: there is no kind {shown(kind)}{hint(kind, KINDS)}"
    known = PERMISSIONS.get(kind, ())
    near = hint(name, known) or hint(text, SPELLED)
    return f"{shown(text)}: {kind} has no permission {shown(name)}{near}"
