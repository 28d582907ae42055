# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads from a document how the thing is called that it will make: its name, its UUID and what else names it.

The access stage asks it about every call that makes something. libvirt reads the same document with another parser:
whatever two parsers might read differently (a document type, another encoding) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from xml.parsers import expat

# Where each kind's name stands: paths below the root, "@" before an attribute; the first that is there counts.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "domain": ("name",),
    "network": ("name",),
    "node_device": ("name",),
    "storage_pool": ("name", "source/name"),
    "storage_vol": ("name",),
    "nwfilter": ("@name",),
    "interface": ("@name",),
    "nwfilter_binding": ("portdev/@name",),
}
# What else rules of polkit are told: where it stands, and the name of the detail.
_DETAILS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "interface": (("mac/@address", "interface_macaddr"),),
    "nwfilter_binding": (
        ("linkdev/@name", "nwfilter_binding_linkdev"),
        ("filterref/@filter", "nwfilter_binding_filter"),
    ),
}
# The same by the type of a secret.
_USAGES: Mapping[str | None, tuple[str, str]] = {
    "volume": ("usage/volume", "secret_usage_volume"),
    "ceph": ("usage/name", "secret_usage_ceph"),
    "iscsi": ("usage/target", "secret_usage_target"),
    "tls": ("usage/name", "secret_usage_name"),
    "vtpm": ("usage/name", "secret_usage_name"),
}
_ENCODINGS = {"UTF-8", "US-ASCII", "ASCII"}
# The elements whose text counts; none is in another.
_TEXTS = frozenset({"name", "source/name", "uuid", "owner/uuid", *(place for place, _ in _USAGES.values())})
# The root, devices, interface, mac.
_DEEPEST = 4
# A client waits for nobody but itself: reading takes time by elements and depth. libxml2 reads no deeper either.
DEPTH_MAX, ELEMENTS_MAX = 250, 50_000
# What is remembered of things must not grow with what clients call them. No name in libvirt is longer than a path.
NAME_MAX = 4096


class NamingError(ValueError):
    """A document that cannot be read, in words."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a thing will be called; None where its document does not say. `details` as in `decision.Thing`.

    `owner` is the UUID of the guest that a port or a binding is for.
    """

    name: str | None = None
    uuid: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    owner: str | None = None

    def __post_init__(self) -> None:
        """NamingError if anything is longer than a name can be."""
        if any(len(text) > NAME_MAX for text in (self.name or "", *(value for _, value in self.details))):
            raise _too_long()


def naming(kind: str, document: str) -> Naming:
    """How `document` calls the thing of `kind` that it describes. Raises NamingError."""
    reader = _Reader()
    reader.read(document)
    name = next((found for path in _names(kind, reader.text) if (found := reader.text.get(path))), None)
    return Naming(
        name or None, _uuid(reader.text.get("uuid")), _details(kind, reader.text), _uuid(reader.text.get("owner/uuid"))
    )


def hardware_addresses(document: str) -> set[str]:
    """The hardware addresses of a guest's interfaces, in lower case. Raises NamingError."""
    reader = _Reader()
    reader.read(document)
    return reader.addresses


def _names(kind: str, text: Mapping[str, str]) -> tuple[str, ...]:
    """Where the name stands; only the usage of a secret's own type is one."""
    if kind != "secret":
        return _NAMES.get(kind, ())
    usage = _USAGES.get(text.get("usage/@type"))
    return () if usage is None else usage[:1]


def _details(kind: str, text: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    places = _DETAILS.get(kind, ())
    if kind == "secret" and text.get("usage/@type") in _USAGES:
        places = (_USAGES[text.get("usage/@type")],)
    return tuple((detail, text[place]) for place, detail in places if place in text)


def _uuid(text: str | None) -> str | None:
    """A UUID as libvirt reads it: hexadecimal digits with hyphens anywhere, space around."""
    if text is None or not text.strip():
        return None
    try:
        return str(UUID("".join(text.split()).replace("-", "")))
    except ValueError:
        raise NamingError(f"'{text}' is not a UUID") from None


@dataclass
class _Reader:
    """Keeps the text of the first element of each path that counts, and the attributes down to the first level."""

    text: dict[str, str] = field(default_factory=dict)
    # Where the reader is, below the root and no deeper than anything counts.
    path: list[str] = field(default_factory=list)
    depth: int = 0
    elements: int = 0
    # The path whose text is being read.
    open: str = ""
    addresses: set[str] = field(default_factory=set)

    def read(self, document: str) -> None:
        parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        try:
            parser.Parse(document.encode(), True)
        except (expat.ExpatError, UnicodeEncodeError) as error:
            raise NamingError(f"the document cannot be read: {error}") from None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.upper() not in _ENCODINGS:
            raise NamingError(f"the document must be in UTF-8, not {encoding}")

    def _doctype(self, *_: Any) -> None:
        raise NamingError("a document type (<!DOCTYPE ...>) is not accepted: leave it out")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > DEPTH_MAX or self.elements > ELEMENTS_MAX:
            raise NamingError(f"the document must not be deeper than {DEPTH_MAX} or have over {ELEMENTS_MAX} elements")
        if self.depth > _DEEPEST:
            return
        if self.depth > 1:
            self.path.append(name)
        path = "/".join(self.path)
        if path == "devices/interface/mac" and "address" in attributes:
            self.addresses.add(attributes["address"].lower())
        for attribute, value in attributes.items() if self.depth <= 2 else ():
            self.text.setdefault(f"{path}/@{attribute}" if path else f"@{attribute}", value)
        if path in _TEXTS and path not in self.text:
            self.text[path] = ""
            self.open = path

    def _end(self, name: str) -> None:
        if 1 < self.depth <= _DEEPEST:
            if self.open == "/".join(self.path):
                self.open = ""
            self.path.pop()
        self.depth -= 1

    def _data(self, data: str) -> None:
        if self.open:
            self.text[self.open] += data
            if len(self.text[self.open]) > NAME_MAX:
                raise _too_long()


def _too_long() -> NamingError:
    return NamingError(f"a name must not be longer than {NAME_MAX} characters")
