# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document of a secret: what it is for and how it is kept, never its value.

The secret driver reads and writes it. As in libvirt, elements that it does not know are ignored and not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum
from uuid import UUID, uuid4

from virtproxy.documents.markup import Element, escape
from virtproxy.documents.markup import parse as parse_markup
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

# Two digits a byte; a hyphen or space may stand between bytes and white space around, as libvirt reads one.
_UUID = re.compile(r"\s*(?:[0-9A-Fa-f]{2}[- ]*){16}\s*")


class Usage(IntEnum):
    """What a secret is for; the numbers are the public ones (virSecretUsageType)."""

    NONE = 0
    VOLUME = 1
    CEPH = 2
    ISCSI = 3
    TLS = 4
    VTPM = 5

    @property
    def word(self) -> str:
        """How a document writes it."""
        return self.name.lower()


# The element that says whom a secret of this usage is for, and what an error says if it is missing.
_NAMED = {
    Usage.VOLUME: ("volume", "volume usage specified, but volume path is missing"),
    Usage.CEPH: ("name", "Ceph usage specified, but name is missing"),
    Usage.ISCSI: ("target", "iSCSI usage specified, but target is missing"),
    Usage.TLS: ("name", "TLS usage specified, but name is missing"),
    Usage.VTPM: ("name", "vTPM usage specified, but name is missing"),
}


@dataclass(frozen=True, slots=True)
class SecretDocument:
    """One secret's definition. `usage_id` is empty exactly where `usage` is NONE; `uuid` has 16 bytes."""

    uuid: bytes
    ephemeral: bool = False
    private: bool = False
    description: str = ""
    usage: Usage = Usage.NONE
    usage_id: str = ""

    @property
    def uuid_text(self) -> str:
        """The UUID in its usual form."""
        return str(UUID(bytes=self.uuid))

    def copy(self) -> SecretDocument:
        """The same once more."""
        return replace(self)

    def format(self) -> str:
        """The document as libvirt writes it."""
        lines = [
            f"<secret ephemeral='{_yes_no(self.ephemeral)}' private='{_yes_no(self.private)}'>",
            f"  <uuid>{self.uuid_text}</uuid>",
        ]
        if self.description:
            lines.append(f"  <description>{escape(self.description)}</description>")
        if self.usage is not Usage.NONE:
            element = _NAMED[self.usage][0]
            lines.append(f"  <usage type='{self.usage.word}'>")
            lines.append(f"    <{element}>{escape(self.usage_id)}</{element}>")
            lines.append("  </usage>")
        return "\n".join([*lines, "</secret>", ""])


def parse(text: str) -> SecretDocument:
    """Read a document; one without a UUID gets a random one. VirtError, in libvirt's words, if it is none."""
    return read(parse_root(text))


def parse_root(text: str) -> Element:
    """The tree of a text that is a secret's document at least by its root. VirtError."""
    try:
        root = parse_markup(text)
    except VirtError as error:
        # The tree does not know whose document it is.
        error.domain = ErrorDomain.SECRET
        raise
    if root.name.rpartition(":")[2] != "secret":
        detail = f"expecting root element of 'secret', not '{root.name.rpartition(':')[2]}'"
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    return root


def read(root: Element) -> SecretDocument:
    """What a tree says; the rest of `parse`. VirtError."""
    ephemeral, private = _flag(root, "ephemeral"), _flag(root, "private")
    uuid = _uuid(root)
    usage, usage_id = _usage(root)
    return SecretDocument(uuid, ephemeral, private, _string(root.find("description")), usage, usage_id)


def _flag(root: Element, name: str) -> bool:
    value = root.attributes.get(name, "")
    if value not in ("", "yes", "no"):
        raise _error(ErrorCode.XML_ERROR, f"invalid value of '{name}'")
    return value == "yes"


def _uuid(root: Element) -> bytes:
    text = _string(root.find("uuid"))
    if not text:
        return uuid4().bytes
    if not _UUID.fullmatch(text):
        raise _error(ErrorCode.INTERNAL_ERROR, "malformed uuid element")
    return bytes.fromhex(re.sub(r"[-\s]", "", text))


def _usage(root: Element) -> tuple[Usage, str]:
    element = root.find("usage")
    if element is None:
        return Usage.NONE, ""
    word = element.attributes.get("type")
    if word is None:
        detail = "Missing required attribute 'type' in element 'usage'"
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    usage = next((usage for usage in Usage if usage.word == word), None)
    if usage is None:
        detail = f"Invalid value for attribute 'type' in element 'usage': '{word}'."
        raise _error(ErrorCode.XML_ERROR, detail, ErrorDomain.XML)
    if usage is Usage.NONE:
        return usage, ""
    name, complaint = _NAMED[usage]
    usage_id = _string(element.find(name))
    if not usage_id:
        raise _error(ErrorCode.INTERNAL_ERROR, complaint)
    return usage, usage_id


def _string(element: Element | None) -> str:
    """The text in an element and in those inside it: XPath's string value, empty if there is no element."""
    if element is None:
        return ""
    return "".join(child if isinstance(child, str) else _string(child) for child in element.children)


def _yes_no(truth: bool) -> str:
    return "yes" if truth else "no"


def _error(code: ErrorCode, detail: str, domain: ErrorDomain = ErrorDomain.SECRET) -> VirtError:
    return VirtError.of(code, detail, domain=domain)
