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
    "secret": ("usage/volume", "usage/name", "usage/target"),
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


def naming(kind: str, document: str) -> Naming:
    """How `document` calls the thing of `kind` that it describes. Raises NamingError."""
    reader = _Reader()
    reader.read(document)
    name = next((found for path in _NAMES.get(kind, ()) if (found := reader.text.get(path))), None)
    return Naming(
        name or None, _uuid(reader.text.get("uuid")), _details(kind, reader.text), _uuid(reader.text.get("owner/uuid"))
    )


def hardware_addresses(document: str) -> set[str]:
    """The hardware addresses of a guest's interfaces, in lower case. Raises NamingError."""
    reader = _Reader()
    reader.read(document)
    return reader.addresses


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
    """Keeps the text of the first element of each path, down to the second level, and their attributes."""

    text: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    # The paths whose first element is open.
    open: list[str] = field(default_factory=list)
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
        if self.path:
            self.path.append(name)
        else:
            self.path = [""]
        path = "/".join(self.path[1:])
        if path == "devices/interface/mac" and "address" in attributes:
            self.addresses.add(attributes["address"].lower())
        for attribute, value in attributes.items() if len(self.path) <= 2 else ():
            self.text.setdefault(f"{path}/@{attribute}" if path else f"@{attribute}", value)
        if 2 <= len(self.path) <= 3 and path not in self.text:
            self.text[path] = ""
            self.open.append(path)
        else:
            self.open.append("")

    def _end(self, name: str) -> None:
        self.path.pop()
        self.open.pop()

    def _data(self, data: str) -> None:
        for path in self.open:
            if path:
                self.text[path] += data
