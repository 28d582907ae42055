# SPDX-License-Identifier: LGPL-2.1-or-later
"""XML text to a small tree and back, in libvirt's own layout.

Every kind of document is read and written with it. Prefixes stay as they were written, so foreign elements survive.
A document type declaration is refused: without one there are no entities to expand. It knows nothing
of what the elements mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

DEPTH_MAX = 128
# A document's characters (a string of the protocol has no more bytes), its elements, and one element's attributes.
SIZE_MAX = 4 << 20
ELEMENTS_MAX = 50_000
ATTRIBUTES_MAX = 256
_SPECIAL = re.compile("[&<>'\"]").search
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


class Element:
    """One element: its name as written, its attributes in order, its children (text as str)."""

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: dict[str, str] | None = None, text: str = "") -> None:
        self.name = name
        self.attributes = {} if attributes is None else attributes
        self.children: list[Element | str] = [text] if text else []

    @property
    def text(self) -> str:
        """The character data directly inside."""
        return "".join(child for child in self.children if isinstance(child, str))

    @property
    def elements(self) -> list[Element]:
        """The child elements."""
        return [child for child in self.children if isinstance(child, Element)]

    def named(self, name: str) -> list[Element]:
        """The child elements called `name`."""
        return [child for child in self.children if isinstance(child, Element) and child.name == name]

    def find(self, path: str) -> Element | None:
        """The first descendant at `path` (names separated by slashes), or None."""
        here = self
        for name in path.split("/") if "/" in path else (path,):
            for child in here.children:
                if isinstance(child, Element) and child.name == name:
                    here = child
                    break
            else:
                return None
        return here

    def value(self, path: str) -> str | None:
        """The stripped text of the first element at `path`, or None."""
        found = self.find(path)
        return None if found is None else found.text.strip()

    def child(self, name: str) -> Element:
        """The first child called `name`, added if there is none."""
        found = self.find(name)
        if found is None:
            found = Element(name)
            self.children.append(found)
        return found

    def set_text(self, text: str) -> None:
        """Replace everything inside by `text`."""
        self.children = [text]

    def remove(self, name: str) -> None:
        """Drop the children called `name`."""
        self.children = [child for child in self.children if isinstance(child, str) or child.name != name]

    def copy(self) -> Element:
        """A deep copy."""
        twin = Element(self.name, dict(self.attributes))
        twin.children = [child if isinstance(child, str) else child.copy() for child in self.children]
        return twin

    def shallow(self) -> Element:
        """A copy that shares the children, in a list of its own."""
        twin = Element(self.name, dict(self.attributes))
        twin.children = list(self.children)
        return twin


class _Builder:
    """Collects expat's calls into a tree."""

    def __init__(self) -> None:
        self.root = Element("")
        self.here = self.root.children
        self.open: list[list[Element | str]] = []
        self.left = ELEMENTS_MAX

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.left -= 1
        if len(self.open) >= DEPTH_MAX or self.left < 0 or len(attributes) > ATTRIBUTES_MAX:
            raise ValueError(self._too_much())
        element = Element(name, attributes)
        here = self.here
        here.append(element)
        self.open.append(here)
        self.here = element.children

    def _too_much(self) -> str:
        if len(self.open) >= DEPTH_MAX:
            return f"elements are nested deeper than {DEPTH_MAX}"
        return f"more than {ELEMENTS_MAX} elements" if self.left < 0 else f"more than {ATTRIBUTES_MAX} attributes"

    def end(self, _name: str) -> None:
        self.here = self.open.pop()

    def data(self, text: str) -> None:
        self.here.append(text)

    def doctype(self, *_declaration: object) -> None:
        raise ValueError("a document type declaration is not accepted")


def parse(text: str) -> Element:
    """The root of the document `text`; VirtError XML_DETAIL, located, if it is not well formed."""
    if len(text) > SIZE_MAX:
        detail = f"at line 1: the document is longer than {SIZE_MAX} characters"
        raise VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(text.encode("utf-8", "surrogateescape"), True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        reason = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else str(error)
        raise _not_well_formed(text, parser, str(reason)) from None
    return builder.root.elements[0]


def _not_well_formed(text: str, parser: expat.XMLParserType, reason: str) -> VirtError:
    if not text.strip():
        return VirtError.of(ErrorCode.XML_DETAIL, "at line 1: Document is empty\n(null)\n^", domain=ErrorDomain.DOMAIN)
    line = parser.CurrentLineNumber
    lines = text.split("\n")
    shown = lines[line - 1][:80] if 0 < line <= len(lines) else ""
    marker = "-" * min(parser.CurrentColumnNumber, len(shown)) + "^"
    detail = f"at line {line}: {reason}\n{shown}\n{marker}"
    return VirtError.of(ErrorCode.XML_DETAIL, detail, domain=ErrorDomain.DOMAIN)


# What libvirt closes with a tag of its own even when nothing is inside.
_OPENED = frozenset({"devices", "encryption", "hyperv", "kvm"})


def escape(text: str) -> str:
    """Text or an attribute's value as libvirt writes it."""
    return text.translate(_ESCAPES)


def format_document(root: Element) -> str:
    """The document as text, two spaces a level, attributes in single quotes, a newline at the end."""
    lines: list[str] = []
    _write(root, "", lines.append)
    lines.append("")
    return "\n".join(lines)


def _write(element: Element, indent: str, line: Callable[[str], None]) -> None:
    """Write an element's lines; this is where the time of a formatted document goes."""
    name = element.name
    opening = f"{indent}<{name}"
    for key, value in element.attributes.items():
        opening += f" {key}='{value.translate(_ESCAPES) if _SPECIAL(value) else value}'"
    inner: list[Element] = []
    text = ""
    for child in element.children:
        if isinstance(child, str):
            text += child
        else:
            inner.append(child)
    if name == "metadata":
        _write_metadata(element, inner, indent, line)
    elif inner or (name in _OPENED and not text.strip()):
        line(f"{opening}>")
        deeper = f"{indent}  "
        for each in inner:
            _write(each, deeper, line)
        line(f"{indent}</{name}>")
    elif text and not text.isspace():
        line(f"{opening}>{text.translate(_ESCAPES) if _SPECIAL(text) else text}</{name}>")
    else:
        line(f"{opening}/>")


def _write_metadata(element: Element, inner: list[Element], indent: str, line: Callable[[str], None]) -> None:
    line(indent + _verbatim(Element("metadata", element.attributes)).replace("/>", ">"))
    for child in inner:
        line(f"{indent}  {_verbatim(child)}")
    line(f"{indent}</metadata>")


def _verbatim(child: Element | str) -> str:
    """Foreign content as it was, white space and all."""
    if isinstance(child, str):
        return child.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in child.attributes.items())
    inside = "".join(map(_verbatim, child.children))
    return f"<{child.name}{attributes}>{inside}</{child.name}>" if inside else f"<{child.name}{attributes}/>"


def format_verbatim(element: Element) -> str:
    """Foreign content as text, as it was written but for the quotes."""
    return _verbatim(element)
