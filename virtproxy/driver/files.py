# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writing and removing small files so that a crash leaves the old content or the new one, never half of it.

Everything here blocks: callers run it in a thread (`Place.blocking`). `definitions` is the main one.
"""

from __future__ import annotations

import os
from contextlib import suppress


def write_file(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace the file at `path` with one of this content and mode, on disk when this returns. OSError.

    The new content is first a file `PATH.new`, as libvirt does it: what it finds of that name is a leftover.
    """
    fresh = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(fresh, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(fresh)
        raise
    sync_directory(os.path.dirname(path))


def remove_file(path: str) -> None:
    """Remove the file or link at `path`, if there is one, on disk when this returns. OSError."""
    with suppress(FileNotFoundError):
        os.unlink(path)
        sync_directory(os.path.dirname(path))


def link_file(target: str, link: str) -> None:
    """Make `link` a symbolic link to `target`, whatever was there. OSError."""
    fresh = f"{link}.new"
    with suppress(FileNotFoundError):
        os.unlink(fresh)
    os.symlink(target, fresh)
    os.rename(fresh, link)
    sync_directory(os.path.dirname(link))


def make_directory(path: str, mode: int = 0o755) -> None:
    """Make a directory and those above it, if they are missing. OSError."""
    if not os.path.isdir(path):
        parent = os.path.dirname(path)
        if parent != path:
            make_directory(parent, mode)
        with suppress(FileExistsError):
            os.mkdir(path, mode)


def sync_directory(path: str) -> None:
    """Let the names in a directory be on disk."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
