# SPDX-License-Identifier: LGPL-2.1-or-later
"""An element of a document as the rules see it, and the small words that rules are made of.

Names are without namespaces everywhere: libvirt looks attributes and many elements up by their bare name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from virtproxy.access.claims.model import Claim
from virtproxy.access.claims.paths import lexical

if TYPE_CHECKING:
    from lxml.etree import _Element

# The guest within a snapshot that was not running.
_SAME = {"inactiveDomain": "domain"}


class Element:
    """One element: its `name`, its `parent` (None for the root) and where it is."""

    __slots__ = ("above", "attributes", "name", "node", "parent", "place")

    def __init__(self, node: _Element, above: str, parent: Element | None = None) -> None:
        self.node = node
        self.name = _SAME.get(bare(str(node.tag)), bare(str(node.tag)))
        self.above = above
        self.parent = parent
        self.place: str = f"{parent.place}/{self.name}" if parent else self.name
        self.attributes: dict[str, str] = {}
        for name, value in node.attrib.items():
            self.attributes.setdefault(bare(str(name)), str(value))

    def get(self, name: str) -> str:
        """The attribute's value, empty if it is not there."""
        return self.attributes.get(name, "")

    @property
    def text(self) -> str:
        """All text of the element and what is in it, without comments; empty if it is only white space."""
        text = str(self.node.xpath("string()"))
        return text if text.strip() else ""

    @property
    def line(self) -> int:
        """The line the element begins in, from 1."""
        line: object = self.node.sourceline
        return line if isinstance(line, int) else 0

    @property
    def children(self) -> Iterator[Element]:
        """The elements in it, in order."""
        for node in self.node.iterchildren("*"):
            yield Element(node, self.name, self)

    def named(self, *names: str) -> Iterator[Element]:
        """The elements directly in it with one of these names."""
        return (child for child in self.children if child.name in names)

    def where(self, attribute: str = "") -> str:
        """The place for people: "domain/devices/disk/source/@file, line 12"."""
        at = f"{self.place}/@{attribute}" if attribute else self.place
        return f"{at}, line {self.line}"

    def claim(self, kind: str, value: str, written: str | None = None, attribute: str = "") -> Claim:
        """A claim of this element."""
        return Claim(kind, value, value if written is None else written, self.where(attribute))

    def unknown(self, attribute: str = "") -> Claim:
        """The claim of something here that no rule understands."""
        at = f"{self.place}/@{attribute}" if attribute else self.place
        return Claim("unknown", at, at, f"line {self.line}")


# What a rule is: from one element to its claims.
Rule = Callable[[Element], Iterator[Claim]]


def bare(name: str) -> str:
    """The name without the namespace that lxml puts before it."""
    return name.rpartition("}")[2]


def path_at(attribute: str, kind: str) -> Rule:
    """Claims the path in an attribute."""

    def rule(element: Element) -> Iterator[Claim]:
        written = element.get(attribute)
        if written:
            yield element.claim(kind, lexical(written), written, attribute)

    return rule


def path_in_text(kind: str) -> Rule:
    """Claims the path that is the element's text."""

    def rule(element: Element) -> Iterator[Claim]:
        written = element.text
        if written:
            yield element.claim(kind, lexical(written), written)

    return rule


def word_at(attribute: str, kind: str, prefix: str = "") -> Rule:
    """Claims the word in an attribute."""

    def rule(element: Element) -> Iterator[Claim]:
        written = element.get(attribute)
        if written:
            yield element.claim(kind, prefix + written, attribute=attribute)

    return rule


def word_in_text(kind: str, prefix: str = "") -> Rule:
    """Claims the element's text."""

    def rule(element: Element) -> Iterator[Claim]:
        written = element.text
        if written:
            yield element.claim(kind, prefix + written)

    return rule


def device_at(attribute: str, prefix: str = "char:") -> Rule:
    """Claims the device node in an attribute."""

    def rule(element: Element) -> Iterator[Claim]:
        written = element.get(attribute)
        if written:
            yield element.claim("host_device", prefix + lexical(written), prefix + written, attribute)

    return rule


def if_equal(attribute: str, values: tuple[str, ...], kind: str, prefix: str) -> Rule:
    """Claims `prefix` and the attribute's value if it is one of `values`."""

    def rule(element: Element) -> Iterator[Claim]:
        if element.get(attribute) in values:
            yield element.claim(kind, f"{prefix}{element.get(attribute)}", attribute=attribute)

    return rule


_HEXADECIMAL = re.compile(r"\s*\+?0[xX]([0-9a-fA-F]{1,16})")
_DECIMAL = re.compile(r"\s*\+?([0-9]{1,20})")


def readings(text: str) -> tuple[int, ...]:
    """The numbers that `text` can be for some version of libvirt: what C takes for octal may be decimal."""
    if match := _HEXADECIMAL.fullmatch(text):
        return (int(match[1], 16),)
    match = _DECIMAL.fullmatch(text)
    if not match:
        return ()
    found = {int(match[1])}
    if match[1][0] == "0" and not set(match[1]) & {"8", "9"}:
        found.add(int(match[1], 8))
    return tuple(sorted(found))
