# SPDX-License-Identifier: LGPL-2.1-or-later
"""What kind of image a file is, read from its first bytes: format, virtual size, what it rests on.

A pool may hold thousands of files, written by anybody: this reads a bounded head of each, runs no program, follows no
backing file, and believes no length that it finds.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from virtproxy.documents.storage import POOL_TYPES

# The head of a file that is read: the last magic is that of ISO 9660, and a backing file's name stands early.
HEAD = 65536
NAME_MAX = 1023
_EXTENSION_END, _EXTENSION_BACKING = 0, 0xE2792ACA
_FEATURES = ((80, 0, "lazy_refcounts"), (72, 4, "extended_l2"))
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True)
class Probed:
    """What an image says of itself. `capacity` is in bytes, None where its size says all."""

    format: str = "raw"
    capacity: int | None = None
    backing: str | None = None
    backing_format: str | None = None
    encryption: str | None = None
    compat: str | None = None
    cluster_size: int = 0
    features: frozenset[str] | None = None
    # LUKS keeps its header before the content: that many bytes.
    payload: int = 0


@dataclass(frozen=True, slots=True)
class _Magic:
    """One format: its magic and where that is, then where the virtual size is, of what form, in units of how much."""

    format: str
    magic: bytes
    at: int = 0
    size_at: int = -1
    size_form: str = ""
    unit: int = 1


_MAGICS = (
    _Magic("bochs", b"Bochs Virtual HD Image", 0, 84, "<Q"),
    _Magic("cloop", b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"),
    _Magic("vpc", b"conectix", 0, 40, ">Q"),
    _Magic("vdi", b"\x7f\x10\xda\xbe", 0x40, 0x170, "<Q"),
    _Magic("ploop", b"WithouFreSpacExt", 0, 36, "<Q", 512),
    _Magic("cow", b"OOOM", 0, 1036, ">Q"),
    _Magic("qed", b"QED\0", 0, 48, "<Q"),
    _Magic("vmdk", b"KDMV", 0, 12, "<Q", 512),
    _Magic("iso", b"CD001", 32769),
)


def probe(head: bytes) -> Probed:
    """Tell what the file is whose first bytes are `head` (at most `HEAD`)."""
    if head.startswith(b"QFI\xfb"):
        return _qcow(head)
    if head.startswith(b"LUKS\xba\xbe"):
        return _luks(head)
    for known in _MAGICS:
        if head[known.at : known.at + len(known.magic)] == known.magic:
            return _known(known, head)
    return Probed()


def resolve(path: str, backing: str) -> str:
    """Where the backing file is that the image at `path` names; a URL stays one."""
    if backing.startswith("/") or _URL.match(backing):
        return backing
    return f"{path.rpartition('/')[0]}/{backing}"


def _number(head: bytes, form: str, at: int) -> int:
    size = struct.calcsize(form)
    if at < 0 or at + size > len(head):
        return 0
    value: int = struct.unpack_from(form, head, at)[0]
    return value


def _known(known: _Magic, head: bytes) -> Probed:
    capacity = _number(head, known.size_form, known.size_at) * known.unit if known.size_form else None
    if known.format == "qed" and _number(head, "<Q", 16) & 1:
        at, size = _number(head, "<I", 56), _number(head, "<I", 60)
        return Probed("qed", capacity, _text(head, at, size), "raw" if _number(head, "<Q", 16) & 4 else None)
    return Probed(known.format, capacity)


def _text(head: bytes, at: int, size: int) -> str | None:
    if not 0 < size <= NAME_MAX or at <= 0 or at + size > len(head):
        return None
    return head[at : at + size].rstrip(b"\0").decode("utf-8", "surrogateescape")


def _qcow(head: bytes) -> Probed:
    version = _number(head, ">I", 4)
    backing = _text(head, _number(head, ">Q", 8), _number(head, ">I", 16))
    capacity = _number(head, ">Q", 24)
    if version == 1:
        encryption = "qcow" if _number(head, ">I", 36) else None
        return Probed("qcow", capacity, backing, None, encryption)
    if version not in (2, 3):
        return Probed()
    encryption = {1: "qcow", 2: "luks"}.get(_number(head, ">I", 32))
    bits = _number(head, ">I", 20)
    cluster = 1 << bits if 9 <= bits <= 21 else 0
    modern = version == 3
    return Probed(
        "qcow2",
        capacity,
        backing,
        None if backing is None else _backing_format(head, _number(head, ">I", 100) if modern else 72),
        encryption,
        "1.1" if modern else None,
        cluster,
        _features(head) if modern else None,
    )


def _features(head: bytes) -> frozenset[str]:
    return frozenset(name for at, bit, name in _FEATURES if _number(head, ">Q", at) >> bit & 1)


def _backing_format(head: bytes, at: int) -> str | None:
    """The format that an extension of the header names for the backing file."""
    while 72 <= at <= len(head) - 8:
        kind, size = struct.unpack_from(">II", head, at)
        if kind == _EXTENSION_END:
            break
        if kind == _EXTENSION_BACKING:
            word = _text(head, at + 8, size)
            return word if word in (POOL_TYPES["dir"].images or ()) else None
        at += 8 + (size + 7) // 8 * 8
    return None


def _luks(head: bytes) -> Probed:
    payload = _number(head, ">I", 104) * 512 if _number(head, ">H", 6) == 1 else 0
    return Probed("raw", encryption="luks", payload=payload)
