# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads from an image's header which other files belong to it: backing files, data files, extents.

Only what QEMU follows is read: qcow, qcow2, QED, VMDK, COW. Nothing is run and little is read: an image is as hostile
as whoever wrote it. `chain.py` calls it in a thread.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import dataclass

# The qcow2 specification puts names and extensions into the first cluster, of at most 2 MiB; QEMU takes 1023 bytes.
HEADER_MAX = 2 * 1024 * 1024
NAME_MAX = 4096
EXTENSIONS_MAX = 64
_BACKING_FORMAT, _DATA_FILE = 0xE2792ACA, 0x44415441
_EXTENT = re.compile(rb'^\s*\S+\s+\d+\s+\S+\s+"([^"\n]*)"', re.MULTILINE)
_PARENT = re.compile(rb'^\s*parentFileNameHint\s*=\s*"([^"\n]*)"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Header:
    """An image's format and what it names: (text, format) of each, "" where the header leaves the format open.

    `names` are backing files, `parts` what the image itself consists of: data files, extents.
    """

    kind: str
    names: tuple[tuple[str, str], ...] = ()
    parts: tuple[str, ...] = ()


class HeaderError(Exception):
    """The header cannot be read: a phrase that says why."""


def read_header(path: str) -> Header | None:
    """Return what the file's header names; None for what is no file or block device, or does not exist.

    Raises HeaderError if it is there and cannot be read, or contradicts itself.
    """
    try:
        if not _has_header(os.stat(path).st_mode):
            return None
        # A pipe could have come in its place since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as failure:
        raise HeaderError(failure.strerror or "it cannot be opened") from None
    try:
        if not _has_header(os.fstat(descriptor).st_mode):
            return None
        return parse_header(_File(descriptor))
    except OSError as failure:
        raise HeaderError(failure.strerror or "it cannot be read") from None
    finally:
        os.close(descriptor)


def _has_header(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode)


class _File:
    """Bytes at a place of an open file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer at the end."""
        if offset > 2**62:
            return b""
        return os.pread(self._descriptor, size, offset)


class Held:
    """Bytes in memory, in place of a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def at(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset`; fewer at the end."""
        return self._data[offset : offset + size]


def parse_header(file: _File | Held) -> Header:
    """Return what the header names; raises HeaderError."""
    start = file.at(0, 512)
    if start.startswith(b"QFI\xfb"):
        return _qcow(file, start)
    if start.startswith(b"QED\0"):
        return _qed(file, start)
    if start.startswith((b"KDMV", b"COWD")):
        return _vmdk(file, start)
    if start.lstrip(b" \t\r\n").startswith(b"# Disk DescriptorFile") or b"# Disk DescriptorFile" in start:
        return _descriptor(file.at(0, HEADER_MAX))
    if start.startswith(b"OOOM"):
        name = file.at(8, 1024).split(b"\0")[0]
        return Header("cow", _named(name, ""))
    return Header("raw")


def _named(name: bytes, kind: str) -> tuple[tuple[str, str], ...]:
    return ((os.fsdecode(name.split(b"\0")[0]), kind),) if name.split(b"\0")[0] else ()


def _name_at(file: _File | Held, offset: int, size: int) -> bytes:
    if not offset or not size:
        return b""
    if size > NAME_MAX:
        raise HeaderError("the name of its backing file is too long")
    name = file.at(offset, size)
    if len(name) < size:
        raise HeaderError("the name of its backing file is cut off")
    return name


def _qcow(file: _File | Held, start: bytes) -> Header:
    if len(start) < 72:
        raise HeaderError("its header is cut off")
    version, offset, size = struct.unpack_from(">IQI", start, 4)
    backing = _name_at(file, offset, size)
    if version == 1:
        return Header("qcow", _named(backing, ""))
    first = 72
    if version >= 3:
        if len(start) < 104:
            raise HeaderError("its header is cut off")
        (first,) = struct.unpack_from(">I", start, 100)
    if not 72 <= first <= HEADER_MAX:
        raise HeaderError("its header has no sensible length")
    kind, data = _extensions(file, first)
    return Header("qcow2", _named(backing, kind), tuple(os.fsdecode(name) for name in data))


def _extensions(file: _File | Held, offset: int) -> tuple[str, list[bytes]]:
    """The backing format and the data files of a qcow2 image."""
    formats: list[str] = []
    data: list[bytes] = []
    for _ in range(EXTENSIONS_MAX):
        head = file.at(offset, 8)
        if len(head) < 8:
            break
        kind, size = struct.unpack(">II", head)
        if kind == 0:
            break
        if size > HEADER_MAX:
            raise HeaderError("an extension of its header is too long")
        if kind == _BACKING_FORMAT:
            formats.append(os.fsdecode(file.at(offset + 8, min(size, 64))))
        elif kind == _DATA_FILE:
            data.append(_name_at(file, offset + 8, size))
        offset += 8 + (size + 7) // 8 * 8
    else:
        raise HeaderError("its header has too many extensions")
    return (formats[0] if len(formats) == 1 else ""), data


def _qed(file: _File | Held, start: bytes) -> Header:
    if len(start) < 64:
        raise HeaderError("its header is cut off")
    (features,) = struct.unpack_from("<Q", start, 16)
    offset, size = struct.unpack_from("<II", start, 56)
    if not features & 1:
        return Header("qed")
    return Header("qed", _named(_name_at(file, offset, size), "raw" if features & 4 else ""))


def _vmdk(file: _File | Held, start: bytes) -> Header:
    if start.startswith(b"COWD"):
        return Header("vmdk")
    if len(start) < 44:
        raise HeaderError("its header is cut off")
    offset, size = struct.unpack_from("<QQ", start, 28)
    if size * 512 > HEADER_MAX:
        raise HeaderError("its descriptor is too long")
    found = _descriptor(file.at(offset * 512, size * 512)) if offset else Header("vmdk")
    # The extent of a single file is the file itself.
    return Header("vmdk", found.names)


def _descriptor(text: bytes) -> Header:
    text = text.split(b"\0")[0]
    extents = [os.fsdecode(name) for name in _EXTENT.findall(text)]
    parents = [(os.fsdecode(name), "") for name in _PARENT.findall(text)]
    if len(extents) + len(parents) > EXTENSIONS_MAX:
        raise HeaderError("its descriptor names too many files")
    return Header("vmdk", tuple(parents), tuple(extents))
