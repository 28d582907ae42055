# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables compiled: which element may hold what, in which order, and how its values are checked and written.

A table has a line an element, indented below the one that holds it:

    name*?/.type=a,b  attribute:kind=default! -dropped &group #kind @hook:argument

`*`: any number of them. `?`: left out when nothing is in it. `/.type=a,b`: this line is for elements whose own
attribute is one of these, `/type=a` for those whose parent's is, `/.type=` for the rest. An attribute has a kind (see
`values`), a default, and `!` if it must be there. `#` is the text inside, `...` anything, left as it is. A line
`&group` stands for the lines below that group, `&group` behind a name for the group's attributes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from virtproxy.documents.domain.tables import TABLES
from virtproxy.documents.domain.values import Kind, kind_of

_LINE = re.compile(r"( *)(&?[\w.-]+)(\*?)(\??)(?:/(\.?)(\w+)=(\S*)|/)?(?: +(.*))?")
_ATTRIBUTE = re.compile(r"(-?)([\w.-]+?)(?::([^=!]+))?(?:=([^!]*))?(!?)")


class Attribute(NamedTuple):
    """One attribute of an element."""

    name: str
    kind: Kind | None
    default: str | None
    required: bool


class Line:
    """A line of a table with the lines below it."""

    def __init__(self, depth: int, words: re.Match[str] | None) -> None:
        self.depth = depth
        self.below: list[Line] = []
        self.tokens: list[str] = []
        if words is not None:
            self.name, self.many, self.droppable = words[2], bool(words[3]), bool(words[4])
            self.own, self.attribute = bool(words[5]), words[6] or ""
            self.values = frozenset(filter(None, (words[7] or "").split(",")))
            self.tokens = (words[8] or "").split()


class Rule:
    """What is known of an element in its place; what it holds is looked up when first needed."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.name, self.droppable = line.name, line.droppable
        self.attributes: list[Attribute] = []
        self.known: set[str] = set()
        self.text: Kind | None = None
        self.has_text = self.verbatim = False
        self.hook: tuple[str, list[str]] | None = None
        for token in line.tokens:
            self._read(token)
        self._children: dict[str, Child] | None = None

    def _read(self, token: str) -> None:
        if token.startswith("&"):
            for each in _groups()[token].tokens:
                self._read(each)
        elif token == "...":
            self.verbatim = True
        elif token.startswith("#"):
            self.has_text = True
            self.text = kind_of(token[1:]) if token not in ("#", "#mem") else None
        elif token.startswith("@"):
            name, *arguments = token[1:].split(":")
            self.hook = name, arguments
        else:
            self._read_attribute(token)

    def _read_attribute(self, token: str) -> None:
        found = _ATTRIBUTE.fullmatch(token)
        assert found is not None, token
        self.known.add(found[2])
        if not found[1]:
            kind = kind_of(found[3]) if found[3] else None
            self.attributes.append(Attribute(found[2], kind, found[4], bool(found[5])))

    @property
    def children(self) -> dict[str, Child]:
        """The elements that it may hold, by name."""
        if self._children is None:
            self._children = {}
            for line in _expanded(self.line.below):
                child = self._children.setdefault(line.name, Child(len(self._children), line.many))
                child.variants.append((line, rule_of(line)))
                child.many = child.many or line.many
            for child in self._children.values():
                child.close()
        return self._children


class Child:
    """An element's place in its parent, and the rules for it: which one depends on an attribute."""

    def __init__(self, place: int, many: bool) -> None:
        self.place, self.many = place, many
        self.variants: list[tuple[Line, Rule]] = []
        self.only: Rule | None = None
        self.known: dict[str, bool] = {}

    def close(self) -> None:
        """What one variant knows, the others know to leave out."""
        if len(self.variants) == 1 and not self.variants[0][0].attribute:
            self.only = self.variants[0][1]

    def rule(self, own: dict[str, str], parents: dict[str, str]) -> Rule | None:
        """The rule for an element with these attributes; None if no line is for it."""
        if self.only is not None:
            return self.only
        rest: Rule | None = None
        for line, rule in self.variants:
            if not line.values:
                rest = rule
            elif (own if line.own else parents).get(line.attribute) in line.values:
                return rule
        return rest

    def elsewhere(self, name: str, *, element: bool) -> bool:
        """Whether an attribute (or an element inside) belongs to another variant, and so is left out here."""
        if self.only is not None:
            return False
        key = f"<{name}" if element else name
        if key not in self.known:
            rules = [rule for _, rule in self.variants]
            self.known[key] = any(name in (rule.children if element else rule.known) for rule in rules)
        return self.known[key]


@cache
def _groups() -> dict[str, Line]:
    """The lines that stand at the left margin, by name."""
    found: dict[str, Line] = {}
    for table in TABLES:
        open_ = [Line(-1, None)]
        for text in filter(str.strip, table.splitlines()):
            words = _LINE.fullmatch(text.rstrip())
            assert words is not None, text
            line = Line(len(words[1]) // 2, words)
            while open_[-1].depth >= line.depth:
                open_.pop()
            open_[-1].below.append(line)
            open_.append(line)
        found |= {line.name: line for line in open_[0].below}
    return found


def _expanded(lines: list[Line]) -> list[Line]:
    out: list[Line] = []
    for line in lines:
        out += _expanded(_groups()[line.name].below) if line.name.startswith("&") else [line]
    return out


_rules: dict[int, Rule] = {}


def rule_of(line: Line) -> Rule:
    """The one rule of a line."""
    if id(line) not in _rules:
        _rules[id(line)] = Rule(line)
    return _rules[id(line)]


@cache
def group_child(group: str) -> dict[str, Child]:
    """The elements of a group, such as "&devices", for documents that hold only them."""
    line = Line(0, None)
    line.name, line.droppable, line.below = group, False, _groups()[group].below
    return Rule(line).children


@cache
def root_rule() -> Rule:
    """The rule of a whole domain document."""
    return rule_of(_groups()["domain"])
