# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a policy of its text: every section, every rule, with all problems found in one go.

`load.py` calls it. It reads no file, and decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from virtproxy.access.claims.kinds import KEYS
from virtproxy.access.policy import lint
from virtproxy.access.policy.permissions import Permission
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.quotas import MEASURES, size
from virtproxy.access.policy.read_roles import Roles, permissions
from virtproxy.access.policy.read_subjects import Subjects
from virtproxy.access.policy.read_things import claims, things
from virtproxy.access.policy.roles import permission_set
from virtproxy.access.policy.rules import Deny, Documents, Grant, QuotaRule, Rule
from virtproxy.access.policy.source import PolicyError, Source
from virtproxy.access.policy.subjects import Subject
from virtproxy.access.policy.who import Groups, GroupsOf
from virtproxy.toml.source import Table, shown

R = TypeVar("R", bound=Rule)
_SECTIONS = ("mode", "subjects", "roles", "grant", "deny", "documents", "quota")
_WHO = ("to", "except")
_MODES = ("enforce", "report")


def compile_policy(path: str, content: bytes, groups_of: GroupsOf | None = None) -> Policy:
    """The policy of a text that was read from `path`. PolicyError with everything that is wrong with it.

    `groups_of` tells the UNIX groups of callers; the user database's by default.
    """
    reader = _Reader(Source(path, content))
    policy = reader.policy(groups_of or Groups())
    if reader.source.errors:
        raise PolicyError(path, reader.source.errors)
    lint.warn(policy, reader.source)
    policy.warnings = tuple(sorted(set(reader.source.warnings)))
    return policy


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.subjects = Subjects(source)
        self.roles = Roles(source)
        self._file = os.path.basename(source.path)

    def policy(self, groups_of: GroupsOf) -> Policy:
        top = Table(self.source, (), self.source.tree, _SECTIONS)
        mode = top.text("mode", "enforce")
        if mode not in _MODES:
            top.error("mode", f'mode is "enforce" or "report", not {shown(mode)}')
        rules: list[Rule] = [
            *self._rules("grant", (*_WHO, "roles", "permissions", "on"), self._grant),
            *self._rules("deny", (*_WHO, "permissions", "on"), self._deny),
            *self._rules("documents", (*_WHO, "all", *KEYS), self._documents),
            *self._rules("quota", (*_WHO, *MEASURES), self._quota),
        ]
        subjects, roles = self.subjects.read_all(), self.roles.read_all()
        return Policy(
            path=self.source.path,
            digest=self.source.digest,
            report=mode == "report",
            subjects=subjects,
            roles=roles,
            rules=tuple(rules),
            groups_of=groups_of,
            uses_groups=self.subjects.uses_groups,
        )

    def _rules(self, section: str, keys: tuple[str, ...], make: Callable[[Table, dict[str, Any]], R]) -> list[R]:
        found = self.source.tree.get(section, [])
        if not isinstance(found, list):
            self.source.error((section,), f"{section} must be written [[{section}]], in double brackets")
            return []
        tables = [Table(self.source, (section, number), value, keys) for number, value in enumerate(found)]
        return [make(table, self._common(table)) for table in tables]

    def _common(self, table: Table) -> dict[str, Any]:
        if "to" not in table:
            table.error(None, 'has no `to`: say whom it is for, such as to = ["ops"]')
        to: tuple[Subject, ...] = self.subjects.listed(table, "to")
        place = f"{self._file}:{table.line}"
        return {"place": place, "line": table.line, "to": to, "but": self.subjects.listed(table, "except")}

    def _grant(self, table: Table, common: dict[str, Any]) -> Grant:
        if "roles" not in table and "permissions" not in table:
            table.error(None, 'grants nothing: give it roles = ["viewer"] or permissions = ["domain:start"]')
        return Grant(
            **common,
            roles=self.roles.listed(table, "roles"),
            permissions=_permissions(table),
            on=things(table, "on"),
        )

    def _deny(self, table: Table, common: dict[str, Any]) -> Deny:
        if "permissions" not in table:
            table.error(None, 'denies nothing: give it permissions = ["domain:delete"], or ["*:*"] for all')
        return Deny(**common, permissions=_permissions(table), on=things(table, "on"))

    def _documents(self, table: Table, common: dict[str, Any]) -> Documents:
        if not any(key in table for key in (*KEYS, "all")):
            table.error(None, 'allows nothing: give it what documents may name, such as disks = ["/srv/guests/**"]')
        return Documents(**common, all=table.flag("all"), allowed=claims(table))

    def _quota(self, table: Table, common: dict[str, Any]) -> QuotaRule:
        limits = {measure: _limit(table, measure) for measure in MEASURES if measure in table}
        if not limits:
            table.error(None, f"limits nothing: give it one of {', '.join(MEASURES)}")
        return QuotaRule(**common, limits={key: most for key, most in limits.items() if most is not None})


def _permissions(table: Table) -> frozenset[Permission]:
    return permission_set(permissions(table, "permissions"))


def _limit(table: Table, measure: str) -> int | None:
    value = table.raw(measure)
    if measure not in ("memory", "volumes") or not isinstance(value, str):
        if measure in ("memory", "volumes"):
            table.error(measure, f'{measure} is written as a size with its unit, such as "16GiB", not {shown(value)}')
            return None
        return table.number(measure)
    found = size(value)
    if found is None:
        table.error(measure, f'{shown(value)} is no size such as "16GiB" or "500GB"')
    return found
