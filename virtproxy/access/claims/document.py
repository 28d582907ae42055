# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads an XML document as libvirt would, or refuses it.

libvirt and lxml both parse with libxml2, but maybe with different versions of it. So whatever two of them could read
differently is refused: document types, entities of one's own, processing instructions, other encodings than UTF-8.
The reader of claims calls it; it must load nothing and follow nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

# Libvirt's own limit for a string on the wire is 4 MiB.
SIZE_MAX = 4 * 1024 * 1024
# libvirt's deepest documents are chains of backing stores, at most 200 of them.
DEPTH_MAX = 250
ELEMENTS_MAX = 50_000
_ENCODINGS = {"utf-8", "us-ascii"}
_DECLARATION = re.compile(r"<\?xml\b([^?]*)\?>")
_ENCODING = re.compile(r"\bencoding\s*=\s*([\"'])(.*?)\1")


class DocumentError(Exception):
    """The document cannot be read, in a sentence that says what is wrong and in which line."""


def parse(text: str) -> _Element:
    """Return the root element of `text`. Raises DocumentError; ImportError where lxml is missing."""
    from lxml import etree

    _check_before(text)
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        strip_cdata=False,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentError(f"the XML is not well-formed: {_located(error)}") from None
    _check_after(root)
    return root


def _check_before(text: str) -> None:
    if len(text) > SIZE_MAX:
        raise DocumentError(f"the XML is longer than {SIZE_MAX} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DocumentError("the XML is not UTF-8 text") from None
    if "\0" in text:
        raise DocumentError("the XML contains a zero byte")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DocumentError("the XML has a document type: leave <!DOCTYPE> out")
    declaration = _DECLARATION.match(text)
    if declaration:
        encoding = _ENCODING.search(declaration[1])
        if encoding and encoding[2].lower() not in _ENCODINGS:
            raise DocumentError(f"the XML is declared as {encoding[2]}: write it in UTF-8")
    elif not text.lstrip(" \t\r\n").startswith("<"):
        raise DocumentError("the XML does not start with an element")


def _located(error: Exception) -> str:
    line = getattr(error, "lineno", None)
    told = re.sub(r", line \d+, column \d+.*", "", str(error.args[0] if error.args else error))
    told = "".join(letter for letter in told if letter.isprintable())[:200]
    return f"line {line}: {told}" if line else told


def _check_after(root: _Element) -> None:
    from lxml import etree

    for around in (root.itersiblings(preceding=True), root.itersiblings()):
        for node in around:
            _check_node(node, etree)
    depth = count = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "start":
            depth += 1
            count += 1
            if depth > DEPTH_MAX or count > ELEMENTS_MAX:
                raise DocumentError(f"line {node.sourceline}: the XML has too many elements or is too deep")
            _check_entities(node, etree)
        elif event == "end":
            depth -= 1
        else:
            _check_node(node, etree)


def _check_entities(node: _Element, etree: object) -> None:
    for child in node:
        if child.tag is etree.Entity:  # type: ignore[attr-defined]
            raise DocumentError(f"line {node.sourceline}: the XML uses an entity that is not declared")


def _check_node(node: _Element, etree: object) -> None:
    if node.tag is not etree.Comment:  # type: ignore[attr-defined]
        raise DocumentError(f"line {node.sourceline}: the XML has a processing instruction: leave <?...?> out")
