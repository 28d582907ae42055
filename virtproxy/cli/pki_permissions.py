# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a daemon's user can read a file, and who else could read or change it.

pki_inspect.py asks, for files of a daemon that need not run as who asks. Modes and owners decide; access control
lists are not looked at.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reader:
    """A user, as the system judges its access to files."""

    name: str
    uid: int
    groups: frozenset[int]

    def may(self, found: os.stat_result, bits: int) -> bool:
        """Whether the mode of ``found`` lets it do what ``bits`` say (4 read, 1 search)."""
        if self.uid == 0:
            return True
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self.groups else 0
        return found.st_mode >> shift & bits == bits


def reader_of(user: str | int) -> Reader:
    """The user with this name or number; KeyError if a name is not known."""
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except KeyError:
        if isinstance(user, str):
            raise
        return Reader(str(user), user, frozenset())  # as in a container: nothing is known but the number
    return Reader(entry.pw_name, entry.pw_uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def access_faults(path: Path, reader: Reader) -> Iterator[str]:
    """Why ``reader`` cannot read the file at ``path``."""
    real = Path(os.path.realpath(path))
    try:
        for directory in reversed(real.parents):
            if not reader.may(os.stat(directory), 1):
                yield f"{path} cannot be reached by the user {reader.name}: chmod a+x {directory}"
                return
        if not reader.may(os.stat(real), 4):
            yield f"{path} cannot be read by the user {reader.name}: chown or chmod it"
    except OSError:
        return  # that it is missing or cannot be looked at is told by whoever reads it


def tamper_faults(path: Path, reader: Reader) -> Iterator[str]:
    """Who but the administrator and ``reader`` can change the file at ``path``."""
    real = Path(os.path.realpath(path))
    try:
        found, above = os.stat(real), os.stat(real.parent)
    except OSError:
        return
    if found.st_mode & 0o022:
        yield f"{path} can be changed by others than its owner: chmod go-w {path}"
    if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
        yield f"{path} can be replaced by others, who may write to its directory: chmod go-w {real.parent}"
    for what, entry in ((path, found), (real.parent, above)):
        if entry.st_uid not in (0, reader.uid):
            yield f"{what} belongs to the user {entry.st_uid}, neither root nor the daemon's: chown it"


def secret_faults(path: Path) -> Iterator[str]:
    """Who but its owner can read the secret file at ``path``."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if mode & 0o004:
        yield f"{path} can be read by every user of this host, who can then pass for it: chmod 0600 {path}"
    elif mode & 0o040:
        yield f"{path} can be read by its group: chmod 0600 {path}, unless that is what lets the daemon read it"
