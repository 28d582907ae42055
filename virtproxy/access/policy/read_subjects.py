# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the subjects of a policy: its named ones, and those that a rule's `to` and `except` write out.

`document.py` calls it. What is wrong is noted in the source; what it hands out then is of no use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from virtproxy.access.policy import subjects
from virtproxy.access.policy.source import NESTED_MAX, Source
from virtproxy.access.policy.subjects import BY_TEXT, EXACT, TRANSPORTS, Condition, Subject
from virtproxy.toml.positions import Path
from virtproxy.toml.source import Table, hint, shown

KEYS = (*BY_TEXT, "uid", "readonly", "subject", "everyone")
# What `to` may write as "KEY:VALUE".
SHORT = (*BY_TEXT, "uid")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_RESERVED = ("everyone", *KEYS)


class Subjects:
    """The named subjects of one policy, each read when it is first asked for, as one may be defined by another."""

    def __init__(self, source: Source) -> None:
        self._source = source
        raw = source.tree.get("subjects", {})
        self._raw: dict[str, Any] = raw if isinstance(raw, dict) else {}
        if not isinstance(raw, dict):
            source.error(("subjects",), f"subjects must be tables [subjects.NAME], not {shown(raw)}")
        self.found: dict[str, Subject] = {}
        self._reading: list[str] = []
        self.used: set[str] = set()
        self.uses_groups = False

    def read_all(self) -> dict[str, Subject]:
        """All named subjects. Call it after the rules: those that nobody used are warned of."""
        for name in self._raw:
            if name not in self.used:
                self._source.warn(("subjects", name), f"no rule is for subject {shown(name)}")
            self._named(name)
        return self.found

    def listed(self, table: Table, key: str) -> tuple[Subject, ...]:
        """The subjects of a rule's list."""
        return tuple(filter(None, (self._written(place, text) for place, text in table.texts(key))))

    def _written(self, place: Path, text: str) -> Subject | None:
        if text == "everyone":
            return subjects.everyone()
        key, colon, value = text.partition(":")
        if not colon:
            return self._named(text, place)
        if key not in SHORT:
            self._source.error(place, f"{shown(text)}: there is no {shown(key)}{hint(key, SHORT)}")
            return None
        if not value:
            self._source.error(place, f"{shown(text)} names nobody")
            return None
        condition = self._uid(place, value) if key == "uid" else self._by_text(key, [(place, value)])
        return None if condition is None else Subject(text, ((condition,),))

    def _uid(self, place: Path, value: str) -> Condition | None:
        if not re.fullmatch(r"[0-9]{1,10}", value):
            self._source.error(place, f"uid takes numbers, not {shown(value)}")
            return None
        return subjects.uids([int(value)])

    def _named(self, name: str, place: Path | None = None) -> Subject | None:
        place = ("subjects", name) if place is None else place
        if place[0] != "subjects":
            self.used.add(name)
        if name in self.found:
            return self.found[name]
        if name in self._reading:
            circle = shown(" -> ".join(self._reading))
            self._source.error(place, f"subject {shown(name)} is defined by itself: {circle}")
            return None
        if name not in self._raw:
            near = hint(name, [*self._raw, "everyone"])
            self._source.error(place, f"there is no subject {shown(name)}{near or '; write user:NAME for a user'}")
            return None
        if len(self._reading) == NESTED_MAX:
            self._source.error(place, f"subjects are made of one another more than {NESTED_MAX} deep")
            return None
        self._reading.append(name)
        self.found[name] = self._subject(name)
        self._reading.pop()
        return self.found[name]

    def _subject(self, name: str) -> Subject:
        place: Path = ("subjects", name)
        if not NAME.fullmatch(name) or name in _RESERVED:
            why = "has a meaning of its own" if name in _RESERVED else "may hold letters, digits, _ . and - alone"
            self._source.error(place, f"{shown(name)} cannot be a subject's name: it {why}")
        value = self._raw[name]
        several = value if isinstance(value, list) else [value]
        if not several:
            self._source.error(place, f"subject {shown(name)} is empty: it names nobody")
        places: Sequence[Path] = [(*place, n) for n in range(len(several))] if isinstance(value, list) else [place]
        return Subject(name, tuple(self._way(where, way) for where, way in zip(places, several, strict=True)))

    def _way(self, place: Path, value: Any) -> tuple[Condition, ...]:
        table = Table(self._source, place, value, KEYS)
        if isinstance(value, dict) and not value:
            table.error(None, "is empty: it names nobody (everyone = true names everybody)")
        conditions = [self._by_text(key, table.texts(key)) for key in BY_TEXT if key in table]
        if "uid" in table:
            numbers = [self._number(where, number) for where, number in table.items("uid")]
            conditions.append(subjects.uids(numbers))
        if "readonly" in table:
            conditions.append(subjects.readonly(table.flag("readonly")))
        if "subject" in table:
            # A name that is used in a definition is used.
            named = [self._named(text, where) for where, text in table.texts("subject")]
            self.used.update(text for _, text in table.texts("subject"))
            conditions.append(subjects.any_of([subject for subject in named if subject is not None]))
        if "everyone" in table and not table.flag("everyone"):
            table.error("everyone", "everyone can only be true")
        return tuple(condition for condition in conditions if condition is not None)

    def _number(self, place: Path, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
            self._source.error(place, f"uid takes numbers, not {shown(value)}")
            return -1
        return value

    def _by_text(self, key: str, found: Sequence[tuple[Path, str]]) -> Condition | None:
        for place, text in found:
            problem = _problem(key, text)
            if problem is not None:
                self._source.error(place, problem)
                return None
        self.uses_groups |= key == "group"
        return BY_TEXT[key]([_as_known(key, text) for _, text in found])


def _as_known(key: str, text: str) -> str:
    """The text in the form in which a caller's is known."""
    return f"DNS:{text[4:].lower()}" if key == "san" and text.startswith("DNS:") else text


def _problem(key: str, text: str) -> str | None:
    if key in EXACT and ("*" in text or "?" in text):
        return f"{key} takes no patterns, so nobody is {shown(text)}; everyone = true means everybody"
    if key == "transport" and text not in TRANSPORTS:
        return f"transport is one of {', '.join(TRANSPORTS)}, not {shown(text)}{hint(text, TRANSPORTS)}"
    if key == "address":
        try:
            subjects.addresses([text])
        except ValueError as error:
            return f"{shown(text)} is no network such as 10.0.0.0/8 or fd00::/8: {shown(str(error))}"
    if key == "san" and text.partition(":")[0] not in ("DNS", "email", "URI", "IP", "*"):
        return f'san is written "DNS:NAME", "email:...", "URI:..." or "IP:...", not {shown(text)}'
    return None
