# SPDX-License-Identifier: LGPL-2.1-or-later
"""Walks libvirt's installed RelaxNG schemas: which elements and attributes a document may have.

The tests hold the vocabulary to it. `python -m tests.access.claims.schemas` prints the vocabulary that the schemas of
both installed versions make together, in the form of virtproxy/access/claims/vocabulary.txt.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from lxml import etree

from tests.support.lab import fetched_tree

INSTALLED = Path("/usr/share/libvirt/schemas")
DOCUMENTS = (
    "domain", "domainsnapshot", "domaincheckpoint", "domainbackup", "network", "networkport", "nodedev", "nwfilter",
    "nwfilterbinding", "secret", "storagepool", "storagevol", "interface", "cpu",
)  # fmt: skip
RNG = "{http://relaxng.org/ns/structure/1.0}"
# An inactive guest within a snapshot is read like a guest.
SAME = {"inactiveDomain": "domain"}
# Anybody's own words, and what libvirt itself only reads from its own state.
LEFT_OUT = ("*anyName", "*nsName", "privateData")
# (parent, element) -> attributes; "" is the parent of a root.
Words = dict[tuple[str, str], set[str]]


class Schema:
    """The definitions of one schema file with what it includes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.defines: dict[str, list[etree._Element]] = defaultdict(list)
        self.start: list[etree._Element] = []
        self._read(etree.parse(str(path)).getroot(), path)

    def _read(self, grammar: etree._Element, path: Path) -> None:
        for part in grammar:
            if part.tag == f"{RNG}include":
                other = path.parent / str(part.get("href"))
                self._read(etree.parse(str(other)).getroot(), other)
                for inner in part:
                    if inner.tag == f"{RNG}define":
                        self.defines[str(inner.get("name"))] = [inner]
                    elif inner.tag == f"{RNG}start":
                        self.start.append(inner)
            elif part.tag == f"{RNG}define":
                self.defines[str(part.get("name"))].append(part)
            elif part.tag == f"{RNG}start":
                self.start.append(part)
            elif part.tag == f"{RNG}div":
                self._read(part, path)


class Walk:
    """One walk through a schema; `words` and `texts` (elements with a text of their own) are its result."""

    def __init__(self) -> None:
        self.words: Words = {}
        self.texts: set[tuple[str, str]] = set()
        self._seen: set[tuple[object, ...]] = set()
        # Nodes are known by id(), which is only unique while they live.
        self._alive: list[object] = []

    def schema(self, path: Path, parent: str = "") -> None:
        """Walk through a file whose elements stand below `parent`."""
        schema = Schema(path)
        for start in schema.start:
            self._walk(schema, start, parent)

    def _walk(self, schema: Schema, nodes: Iterable[etree._Element], parent: str) -> None:
        for node in nodes:
            self._alive.append(node)
            if isinstance(node, etree._Comment) or (id(node), parent) in self._seen:
                continue
            self._seen.add((id(node), parent))
            tag = str(node.tag).removeprefix(RNG)
            if tag == "element":
                for name in names_of(node):
                    self._element(schema, node, parent, SAME.get(name, name))
            elif tag == "ref":
                for define in schema.defines[str(node.get("name"))]:
                    self._walk(schema, define, parent)
            elif tag == "externalRef":
                href = str(node.get("href"))
                if (href, parent) not in self._seen:
                    self._seen.add((href, parent))
                    self.schema(schema.path.parent / href, parent)
            elif tag == "grammar":
                inner = Schema.__new__(Schema)
                inner.path, inner.defines, inner.start = schema.path, defaultdict(list), []
                inner._read(node, schema.path)
                self._alive.extend(inner.start)
                for start in inner.start:
                    self._walk(inner, start, parent)
            elif tag not in ("attribute", "name"):
                self._walk(schema, node, parent)

    def _element(self, schema: Schema, node: etree._Element, parent: str, name: str) -> None:
        if name in LEFT_OUT or parent == "metadata":
            return
        self.words.setdefault((parent, name), set()).update(self._attributes(schema, node, parent, name, ()))
        self._walk(schema, node, name)

    def _attributes(
        self, schema: Schema, nodes: Iterable[etree._Element], parent: str, name: str, within: tuple[str, ...]
    ) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, etree._Comment):
                continue
            tag = str(node.tag).removeprefix(RNG)
            if tag == "attribute":
                yield from names_of(node)
            elif tag == "ref":
                ref = str(node.get("name"))
                if ref not in within:
                    for define in schema.defines[ref]:
                        yield from self._attributes(schema, define, parent, name, (*within, ref))
            elif tag in ("text", "data", "value"):
                self.texts.add((parent, name))
            elif tag not in ("element", "name", "param"):
                yield from self._attributes(schema, node, parent, name, within)


def names_of(node: etree._Element) -> list[str]:
    """The names that an element or attribute pattern matches; with its namespace in braces where it has one."""
    name = node.get("name")
    if name is not None:
        space = node.get("ns")
        return [f"{{{space}}}{name}" if space else name]
    first = next(child for child in node if not isinstance(child, etree._Comment))
    if first.tag == f"{RNG}choice":
        return [str(each.text).strip() for each in first if each.tag == f"{RNG}name"]
    if first.tag == f"{RNG}name":
        return [str(first.text).strip()]
    return [f"*{str(first.tag).removeprefix(RNG)}"]


def schema_directories() -> list[Path]:
    """Where the schemas of the two versions are that the tests use."""
    return [INSTALLED, fetched_tree() / INSTALLED.relative_to("/")]


def walked(directory: Path) -> Walk:
    """Walk through all kinds of documents of one version."""
    walk = Walk()
    for name in DOCUMENTS:
        walk.schema(directory / f"{name}.rng")
    return walk


def main() -> None:
    """Print the vocabulary."""
    together: Words = {}
    for directory in schema_directories():
        for place, attributes in walked(directory).words.items():
            together.setdefault(place, set()).update(attributes)
    lines: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (parent, name), attributes in sorted(together.items()):
        if not name.startswith("{") and not parent.startswith("{"):
            lines[name, tuple(sorted(attributes))].append(parent or "/")
    print(
        '# Elements and attributes that libvirt 9.0 to 11.3 know: "element: attributes < parents"; "/" is above a root.'
    )
    print("# Written by: python -m tests.access.claims.schemas")
    for (name, known), parents in sorted(lines.items()):
        print(f"{name}: {' '.join(known)} < {' '.join(parents)}".replace(":  <", ": <"))


if __name__ == "__main__":
    main()
