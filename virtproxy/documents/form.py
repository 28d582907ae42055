# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a kind of document looks like: the order of its elements and attributes, and which values they take.

The models of networks, interfaces, node devices and filters declare a `Form` each, bring what they read into that
order with `arrange` and write it with `write`. What a form does not know is kept, behind what it knows. Rules that
look at more than one value are the models' own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from virtproxy.documents.markup import Element, escape, format_document, parse
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# Takes an element and the name of one of its attributes; gives the value as it is written, or None to leave it out.
Check = Callable[[Element, str], "str | None"]
_UUID = re.compile(r"\s*(?:[0-9A-Fa-f]{2}[- ]*){16}\s*")


@dataclass(frozen=True, slots=True)
class Form:
    """One element. `many`: it may come more than once. `hollow`: it has an end tag even with nothing inside.

    `bare`: it is written even without attributes and content. `foreign`: what is inside is not ours.
    """

    name: str
    attributes: Mapping[str, Check] = field(default_factory=dict)
    children: tuple[Form, ...] = ()
    many: bool = False
    hollow: bool = False
    bare: bool = False
    foreign: bool = False

    def child(self, name: str) -> Form | None:
        """The form of the children called `name`."""
        return next((form for form in self.children if form.name == name), None)


# Values


def any_text(element: Element, name: str) -> str | None:
    """Anything goes."""
    return element.attributes[name]


def never(element: Element, name: str) -> str | None:
    """A value that is only told of running things: left out."""
    return None


def one_of(*words: str, silent: tuple[str, ...] = ()) -> Check:
    """One of these words; those in `silent` are understood and not written."""

    def check(element: Element, name: str) -> str | None:
        word = element.attributes[name]
        if word not in words:
            raise wrong_value(element, name)
        return None if word in silent else word

    return check


def lenient(*words: str) -> Check:
    """One of these words; any other is left out."""

    def check(element: Element, name: str) -> str | None:
        word = element.attributes[name]
        return word if word in words else None

    return check


def whole(element: Element, name: str) -> str | None:
    """A number that is not negative, written in decimal."""
    return str(number(element, name))


def more_than_nothing(element: Element, name: str) -> str | None:
    """The same, and not zero."""
    if number(element, name) == 0:
        detail = f"Invalid value for attribute '{name}' in element '{element.name}': Zero is not permitted"
        raise xml_error(detail, ErrorDomain.XML)
    return whole(element, name)


def number(element: Element, name: str, most: int = (1 << 64) - 1) -> int:
    """The value of an attribute as a number that is not negative; VirtError if it is none."""
    text = element.attributes[name]
    if not re.fullmatch(r"\s*\+?\d{1,20}", text, re.ASCII) or int(text) > most:
        detail = f"Invalid value for attribute '{name}' in element '{element.name}': '{text}'."
        raise xml_error(f"{detail} Expected non-negative integer value", ErrorDomain.XML)
    return int(text)


yes_no = one_of("yes", "no")


# Errors


def xml_error(detail: str, domain: ErrorDomain) -> VirtError:
    """The document says something that cannot be."""
    return VirtError.of(ErrorCode.XML_ERROR, detail, domain=domain)


def unsupported(detail: str, domain: ErrorDomain) -> VirtError:
    """The document asks for something that is not to be had."""
    return VirtError.of(ErrorCode.CONFIG_UNSUPPORTED, detail, domain=domain)


def wrong_value(element: Element, name: str) -> VirtError:
    """An attribute has none of the words it takes."""
    value = element.attributes[name]
    return xml_error(f"Invalid value for attribute '{name}' in element '{element.name}': '{value}'.", ErrorDomain.XML)


def required(element: Element, name: str) -> str:
    """The value of an attribute; VirtError if it is missing."""
    value = element.attributes.get(name)
    if value is None:
        raise xml_error(f"Missing required attribute '{name}' in element '{element.name}'", ErrorDomain.XML)
    return value


# Reading and writing


def read(text: str, name: str, domain: ErrorDomain) -> Element:
    """The root of a document that must be called `name`. VirtError with `domain` if it is not well formed."""
    try:
        root = parse(text)
    except VirtError as error:
        error.domain = domain
        raise
    if root.name != name:
        raise xml_error(f"expecting root element of '{name}', not '{root.name}'", ErrorDomain.XML)
    return root


def read_uuid(root: Element, domain: ErrorDomain, code: ErrorCode = ErrorCode.INTERNAL_ERROR) -> bytes:
    """The UUID that the document has, or a random one; VirtError with `code` if it is none."""
    text = root.value("uuid")
    if not text:
        return uuid4().bytes
    if not _UUID.fullmatch(text):
        raise VirtError.of(code, "malformed uuid element", domain=domain)
    return bytes.fromhex(re.sub(r"[-\s]", "", text))


def uuid_text(uuid: bytes) -> str:
    """A UUID as documents write it."""
    return str(UUID(bytes=uuid))


def arrange(element: Element, form: Form) -> Element:
    """A copy of `element` in the order of `form`, values checked; of what may come once only the first counts."""
    if form.foreign:
        return element.copy()
    attributes = {name: form.attributes[name](element, name) for name in form.attributes if name in element.attributes}
    unknown = {name: value for name, value in element.attributes.items() if name not in form.attributes}
    spaces = {name: unknown.pop(name) for name in list(unknown) if name.startswith("xmlns")}
    kept = {name: value for name, value in attributes.items() if value is not None}
    twin = Element(element.name, {**spaces, **kept, **unknown})
    known = {child.name for child in form.children}
    for child in form.children:
        found = [inner for inner in element.elements if inner.name == child.name]
        arranged = (arrange(inner, child) for inner in (found if child.many else found[:1]))
        twin.children += [inner for inner in arranged if child.bare or child.hollow or not is_empty(inner)]
    rest = [inner.copy() for inner in element.elements if inner.name not in known]
    twin.children += rest if twin.elements or rest else [element.text] * bool(element.text.strip())
    return twin


def is_empty(element: Element) -> bool:
    """Whether there is nothing in it and nothing said of it."""
    return not element.attributes and not element.elements and not element.text.strip()


def write(root: Element, form: Form) -> str:
    """The document as text."""
    return "\n".join(_lines(root, form, "")) + "\n"


def _lines(element: Element, form: Form | None, indent: str) -> Iterator[str]:
    attributes = "".join(f" {name}='{escape(value)}'" for name, value in element.attributes.items())
    start = f"{indent}<{element.name}{attributes}"
    if form is not None and form.foreign and element.elements:
        wrapped = Element("x")
        wrapped.children = [element]
        # Foreign text may have lines of its own, which keep their place.
        yield format_document(wrapped).removeprefix("<x>\n").removesuffix("\n</x>\n")
    elif element.elements or (form is not None and form.hollow):
        yield f"{start}>"
        for child in element.elements:
            yield from _lines(child, form and form.child(child.name), indent + "  ")
        yield f"{indent}</{element.name}>"
    elif element.text:
        yield f"{start}>{escape(element.text)}</{element.name}>"
    else:
        yield f"{start}/>"
