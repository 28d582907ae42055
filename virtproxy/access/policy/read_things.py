# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads what a rule is about: the `on` of grants and denies, and the claims of `[[documents]]`.

`document.py` calls it. What is wrong is noted in the source.
"""

from __future__ import annotations

import re
from typing import Any

from virtproxy.access.claims.kinds import KEYS, KINDS
from virtproxy.access.policy import permissions
from virtproxy.access.policy.patterns import path_matcher, path_problem, word_matcher
from virtproxy.access.policy.rules import Pattern
from virtproxy.access.policy.things import Things
from virtproxy.toml.positions import Path
from virtproxy.toml.source import Source, Table, hint, shown

_KEYS = ("kind", "name", "uuid", "uri", "driver", "pool", "network", "owned")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Keys whose kinds are all paths: their patterns can be checked as such.
_PATHS = frozenset(key for key in KEYS if all(kind.path for kind in KINDS.values() if kind.key == key))


def things(table: Table, key: str) -> tuple[Things, ...]:
    """The things that a rule is about; () where it does not say."""
    return tuple(_things(table.source, place, value) for place, value in table.items(key))


def _things(source: Source, place: Path, value: Any) -> Things:
    if isinstance(value, str):
        return _short(source, place, value)
    table = Table(source, place, value, _KEYS)
    if value == {}:
        table.error(None, "is empty: leave `on` out for everything")
    kinds = [(where, text) for where, text in table.texts("kind") if _is_kind(source, where, text)]
    uuids = [(where, text.lower()) for where, text in table.texts("uuid")]
    for where, text in uuids:
        if not _UUID.fullmatch(text):
            source.error(where, f"{shown(text)} is no UUID such as 8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b10")
    return Things(
        kinds=frozenset(text for _, text in kinds),
        names=_plain(table, "name"),
        uuids=frozenset(text for _, text in uuids),
        uris=_plain(table, "uri"),
        drivers=tuple(text.lower() for text in _plain(table, "driver")),
        pools=_plain(table, "pool"),
        networks=_plain(table, "network"),
        owned=table.flag("owned") if "owned" in table else None,
    )


def _plain(table: Table, key: str) -> tuple[str, ...]:
    return tuple(text for _, text in table.texts(key))


def _is_kind(source: Source, place: Path, text: str) -> bool:
    known = text in permissions.KINDS
    if not known:
        source.error(place, f"there is no kind {shown(text)}{hint(text, permissions.KINDS)}")
    return known


def _short(source: Source, place: Path, text: str) -> Things:
    kind, colon, name = text.partition(":")
    if not _is_kind(source, place, kind):
        return Things(frozenset({kind}))
    if colon and (not name or kind == "connect"):
        source.error(place, f"{shown(text)} names nothing; write {shown(kind)} for all of the kind")
    return Things(frozenset({kind}), (name,) if name else ())


def claims(table: Table) -> dict[str, tuple[Pattern, ...] | None]:
    """What a `[[documents]]` allows, by key; None is any value."""
    return {key: _claim(table, key) for key in KEYS if key in table}


def _claim(table: Table, key: str) -> tuple[Pattern, ...] | None:
    if table.raw(key) is True:
        return None
    if table.raw(key) is False:
        table.error(key, f"{key} = false says nothing: what is not granted is refused; leave it out")
        return ()
    for place, text in table.texts(key):
        problem = path_problem(text) if key in _PATHS else None
        if problem is not None:
            table.source.error(place, f"{shown(text)} {problem}")
    return tuple(Pattern(text, path_matcher(text), word_matcher(text)) for _, text in table.texts(key))
