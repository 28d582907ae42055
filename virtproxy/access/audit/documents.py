# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an audit line says of an XML document: what it is about, how large, its digest; and without its secrets, whole.

``arguments`` calls it for every argument that is a document. The digest is the document's own SHA-256 where it has no
secrets. Where it has, it is that of the text in which they are masked: the digest of a document with a password in
it is a way to try passwords. A document that does not parse has no digest, because nobody knows what is in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from xml.parsers import expat

from virtproxy.access.audit.text import quoted, short, without_password

MASK = "***"
_DEPTH_MAX = 256
# By local name, whatever the prefix. Attributes that hold a secret wherever they are:
_SECRET_ATTRIBUTES = frozenset({"passwd", "password", "passphrase", "query"})
# Elements whose `value` is a piece of a command line, and those whose text is one, or a secret itself: cookies of a
# network disk, keys of launch security, what firmware and guests get told, kernel and container arguments.
_SECRET_VALUES = frozenset({"arg", "env", "property"})
_SECRET_TEXTS = frozenset(
    {"cookie", "session", "dhCert", "entry", "cmdline", "initarg", "initenv", "passwd", "password", "passphrase"}
)


@dataclass(slots=True)
class Document:
    """What was found: the root's name, the object's name and UUID, the masked text, and what was masked."""

    root: str = ""
    name: str | None = None
    uuid: str | None = None
    masked: str = ""
    secrets: list[str] = field(default_factory=list)


class _Refused(Exception):
    """The document is none that libvirt would take."""


class _Reader:
    """Reads a document and writes it again, masked."""

    def __init__(self) -> None:
        self.found = Document()
        self._out: list[str] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.ordered_attributes = True
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text.append
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, text: str) -> Document:
        self._parser.Parse(text.encode("utf-8", "surrogateescape"), True)
        self.found.masked = "".join(self._out)
        return self.found

    def _doctype(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: list[str]) -> None:
        self._flush()
        local = name.rpartition(":")[2]
        if not self._path:
            self.found.root = local
        self._path.append(local)
        if len(self._path) > _DEPTH_MAX:
            raise _Refused
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        self._out.append(f"<{name}{''.join(self._attribute(local, key, value) for key, value in pairs)}>")

    def _attribute(self, element: str, key: str, value: str) -> str:
        local = key.rpartition(":")[2]
        if local.lower() in _SECRET_ATTRIBUTES or (local == "value" and element in _SECRET_VALUES):
            value = self._mask(value)
        value = without_password(value).replace("&", "&amp;").replace("<", "&lt;").replace("'", "&apos;")
        return f" {key}='{value}'"

    def _end(self, name: str) -> None:
        self._flush()
        self._path.pop()
        self._out.append(f"</{name}>")

    def _flush(self) -> None:
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        if self._path and self._path[-1] in _SECRET_TEXTS and text.strip():
            text = self._mask(text)
        elif len(self._path) == 2 and self._path[1] in ("name", "uuid"):
            setattr(self.found, self._path[1], text.strip())
        self._out.append(without_password(text).replace("&", "&amp;").replace("<", "&lt;"))

    def _mask(self, secret: str) -> str:
        self.found.secrets.append(secret)
        return MASK


def read(text: str) -> Document | None:
    """Return what a document says; None if it is none (libvirt takes no document type declarations either)."""
    try:
        return _Reader().read(text)
    except (expat.ExpatError, _Refused, ValueError):
        return None


def described(text: str, *, whole: bool) -> tuple[str, Document | None]:
    """Return the JSON object that stands for a document in a line, and what was found in it."""
    size = len(text.encode("utf-8", "surrogateescape"))
    found = read(text)
    if found is None:
        return f'{{"bytes":{size},"malformed":true}}', None
    shown = text if not found.secrets and without_password(text) == text else found.masked
    digest = hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()
    parts = [f'"root":{short(found.root)},"bytes":{size},"sha256":"{digest}"']
    if shown is not text:
        parts.append(f'"masked":{max(len(found.secrets), 1)}')
    if whole:
        parts.append(f'"xml":{quoted(shown)}')
    return f"{{{','.join(parts)}}}", found
