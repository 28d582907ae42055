# SPDX-License-Identifier: LGPL-2.1-or-later
"""Carries out the steps of ``virtproxy install``: every file whole or not at all, and all of them or none.

``install`` calls it. New files are complete on the disk under other names before the first one gets its own. It must
not decide anything.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Sequence

from virtproxy.cli.install_files import Step
from virtproxy.cli.output import CommandError

FILE_MODE, DIR_MODE = 0o644, 0o755
WRITES = frozenset({"write", "replace", "beside"})


def carry_out(root: str, steps: Sequence[Step]) -> None:
    """Write and remove as ``steps`` say. Raises CommandError; then nothing has changed if writing failed."""
    staged: list[tuple[str, str]] = []
    try:
        for step in steps:
            if step.action in WRITES:
                _make_directory(os.path.dirname(step.path))
                staged.append((_stage(step), step.path))
        for temporary, path in staged:
            os.replace(temporary, path)
        for step in steps:
            if step.action == "remove":
                os.unlink(step.path)
    except OSError as error:
        _drop(temporary for temporary, _ in staged)
        hint = "; run it as root" if isinstance(error, PermissionError) and os.geteuid() else ""
        raise CommandError(f"{error.filename}: {error.strerror}{hint}") from None
    directories = {os.path.dirname(step.path) for step in steps if step.action in {*WRITES, "remove"}}
    for directory in directories:
        _sync(directory)
    for directory in {os.path.dirname(step.path) for step in steps if step.action == "remove"}:
        _prune(root, directory)


def _make_directory(path: str) -> None:
    """Make a directory and what is missing above it, with the mode that a system's have whatever the umask is."""
    if os.path.isdir(path):
        return
    _make_directory(os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, DIR_MODE)
    _own(path)


def _stage(step: Step) -> str:
    descriptor, temporary = tempfile.mkstemp(prefix=".virtproxy-", dir=os.path.dirname(step.path))
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(step.piece.text)
            file.flush()
            os.fchmod(descriptor, FILE_MODE)
            _own(descriptor)
            os.fsync(descriptor)
    except BaseException:
        _drop([temporary])
        raise
    return temporary


def _own(where: str | int) -> None:
    if os.geteuid() == 0:
        os.chown(where, 0, 0)


def _drop(temporaries: Iterable[str]) -> None:
    for path in temporaries:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _sync(directory: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _prune(root: str, directory: str) -> None:
    """Remove ``directory`` if it is empty, and what is empty then above it, up to ``root``."""
    while directory != root:
        try:
            os.rmdir(directory)
        except OSError:
            return
        directory = os.path.dirname(directory)
