# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of an audit log: their names and order, their lines, the last whole line of one.

The log's file is PATH; rotated ones are PATH.NNNNNNNNNNNN (the sequence number of their last line), perhaps with .gz;
whatever else rotates the log may name them as it likes, as long as the name begins with PATH. ``logfile`` and the
readers use it. Nothing here writes, except ``compress`` and ``prune``, which run in a thread.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from virtproxy.access.audit.chain import Entry, entry_of

NEW, LOCK = ".new", ".lock"
# A document in a call is at most 16 MiB; escaped it may be six times as long.
LINE_MAX = 128 * 1024 * 1024
_ROTATED = re.compile(r"\.\d{12}(\.gz)?\Z")
OURS = (NEW, LOCK, ".part")
_WINDOW = 65536


def rotated_name(path: str, last: int) -> str:
    """The name that PATH gets when the line numbered `last` is its last."""
    return f"{path}.{last:012d}"


def rotated(path: str) -> list[str]:
    """The files that we rotated away from `path`, oldest first."""
    base = os.path.basename(path)
    names = [
        name for name in _listed(path) if name.startswith(base) and _ROTATED.fullmatch(name[len(base) :]) is not None
    ]
    return [os.path.join(os.path.dirname(path), name) for name in sorted(names)]


def family(path: str) -> list[str]:
    """`path`, if it is there, and every file whose name begins as its does: what rotation left, by anybody.

    A file that is being compressed is there twice for a moment, and counts once.
    """
    base = os.path.basename(path)
    names = {name for name in _listed(path) if name == base or name.startswith((base + ".", base + "-"))}
    once = [name for name in names if not name.endswith(OURS) and name.removesuffix(".gz") not in names - {name}]
    return [os.path.join(os.path.dirname(path), name) for name in sorted(once)]


def _listed(path: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError):
        return os.listdir(os.path.dirname(path) or ".")
    return []


def opened(path: str) -> IO[bytes]:
    """Open a file for reading, compressed or not. Raises OSError."""
    if path.endswith(".gz"):
        return cast("IO[bytes]", gzip.open(path))
    return open(path, "rb")


def lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Each line of a file with its newline; one that is too long comes in pieces."""
    while line := stream.readline(LINE_MAX):
        yield line


def first_entry(path: str) -> Entry | None:
    """The first line of a file that is one of an audit log; None if there is none. Raises OSError."""
    with opened(path) as stream:
        return next(filter(None, (entry_of(line) for line in lines(stream))), None)


def in_order(paths: list[str]) -> list[str]:
    """The files by the number of their first line; those without a line come last. Raises OSError."""
    firsts = {path: first_entry(path) for path in paths}
    return sorted(paths, key=lambda path: (entry.number if (entry := firsts[path]) else 2**63, path))


def last_entry(path: str) -> tuple[Entry | None, int]:
    """The last whole line of a file, and the offset of what follows it (0 without a line). Raises OSError."""
    if path.endswith(".gz"):
        with opened(path) as stream:
            found = [entry for line in lines(stream) if (entry := entry_of(line.rstrip(b"\n")))]
        return (found[-1] if found else None), 0
    with open(path, "rb") as stream:
        return _last_of(stream, os.fstat(stream.fileno()).st_size)


def _last_of(stream: IO[bytes], size: int) -> tuple[Entry | None, int]:
    window = _WINDOW
    while True:
        start = max(0, size - window)
        stream.seek(start)
        data = stream.read(size - start)
        end = data.rfind(b"\n")
        while end >= 0:
            begin = data.rfind(b"\n", 0, end)
            if begin < 0 and start > 0:
                break  # it begins before the window
            entry = entry_of(data[begin + 1 : end])
            if entry is not None:
                return entry, start + end + 1
            end = begin
        if start == 0:
            return None, 0
        window *= 4


def compress(path: str) -> None:
    """Replace a rotated file by its compressed form, with the same owner and mode. Raises OSError."""
    part, target = f"{path}.gz.part", f"{path}.gz"
    status = os.stat(path)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as raw:
        os.fchmod(raw.fileno(), status.st_mode & 0o777)
        os.fchown(raw.fileno(), status.st_uid, status.st_gid)
        with open(path, "rb") as source, gzip.GzipFile(os.path.basename(path), "wb", 6, raw) as packed:
            shutil.copyfileobj(source, packed, 1024 * 1024)
        raw.flush()
        os.fsync(raw.fileno())
    os.replace(part, target)
    os.unlink(path)


def prune(path: str, keep: int) -> list[str]:
    """Remove all but the newest `keep` rotated files; the names of those that are gone. Raises OSError."""
    old = rotated(path)[:-keep] if keep else []
    for name in old:
        os.unlink(name)
    return [os.path.basename(name) for name in old]


def sync_directory(path: str) -> None:
    """Make what was renamed in the directory of `path` last. Raises OSError."""
    fd = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
