# SPDX-License-Identifier: LGPL-2.1-or-later
"""The users who log in by password: libsasl2's database, changed with Cyrus's own programs.

``virtproxy user`` calls it; it blocks. A change is made in a copy that takes the old file's place when it is complete,
with the old file's owner and mode. A password is never in an argument, a message or a file of ours.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from virtproxy.auth.sasl.config import APPLICATION

# libsasl2 takes no longer ones.
PASSWORD_MAX = 1024
NAME_MAX = 256
_PROGRAM_SECONDS = 30


class UserError(Exception):
    """Nothing was changed; a sentence that says why, and what to do."""


class User(NamedTuple):
    """A user. A client who gives no realm is looked for in that of the server's host name."""

    name: str
    realm: str


class Users:
    """The database in one file, which may be absent yet. A None `realm` is this host's name, as libsasl2 has it."""

    def __init__(self, path: Path, realm: str | None = None) -> None:
        self.path = path
        self._realm = realm

    def everybody(self) -> list[User]:
        """All users, by name. UserError if the file cannot be read."""
        if not self.path.exists():
            return []
        if not os.access(self.path, os.R_OK):
            raise UserError(f"{self.path} cannot be read by this user: run it as root")
        return self._listed(self.path)

    def add(self, name: str, password: str) -> User:
        """Add a user. UserError if there is one of that name."""
        _check(name, password)
        with self._changing() as copy:
            before = self._listed(copy)
            self._store(copy, name, password, "-c")
            added = [user for user in self._listed(copy) if user not in before]
            if not before.count(User(name, self._realm or "")) and len(added) == 1:
                return added[0]
            if any(user.name == name for user in before):
                raise UserError(
                    f'there is a user "{name}" in {self.path}: virtproxy user passwd {name} sets the password'
                )
            raise UserError(
                "libsasl2 did not add the user: see auxprop_plugin in its libvirt.conf, which must be sasldb"
            )

    def set_password(self, name: str, password: str) -> None:
        """Give a user another password. UserError if there is none of that name."""
        _check(name, password)
        with self._changing() as copy:
            before = self._listed(copy)
            self._store(copy, name, password)
            if self._listed(copy) != before or not self._among(name, before):
                raise UserError(self._nobody(name, before))

    def remove(self, name: str) -> None:
        """Remove a user. UserError if there is none of that name."""
        _check(name)
        with self._changing() as copy:
            before = self._listed(copy)
            self._run("saslpasswd2", "-d", "-a", APPLICATION, *self._in_realm(), "-f", copy, "--", name, quiet=True)
            if len(self._listed(copy)) != len(before) - 1:
                raise UserError(self._nobody(name, before))

    def _among(self, name: str, users: list[User]) -> bool:
        return any(user.name == name and self._realm in (None, user.realm) for user in users)

    def _nobody(self, name: str, users: list[User]) -> str:
        realms = [user.realm for user in users if user.name == name]
        if realms:
            return f'"{name}" is a user of {" and ".join(realms)} in {self.path}: say which with --realm'
        return f'there is no user "{name}" in {self.path}: virtproxy user list shows who is'

    def _in_realm(self) -> tuple[str, ...]:
        return () if self._realm is None else ("-u", self._realm)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Path]:
        """A copy to change, which becomes the database at the end of the block; one change at a time."""
        try:
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(f"the directory of {self.path} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            with tempfile.TemporaryDirectory(prefix=".sasldb", dir=self.path.parent) as place:
                copy = Path(place) / self.path.name
                if self.path.exists():
                    shutil.copyfile(self.path, copy)
                yield copy
                self._replace(copy)
                os.fsync(directory)
        except OSError as error:
            raise UserError(f"{self.path} cannot be changed by this user: {error.strerror}: run it as root") from None
        finally:
            os.close(directory)

    def _replace(self, copy: Path) -> None:
        old = self.path.stat() if self.path.exists() else None
        with copy.open("rb") as file:
            if old is not None:
                os.fchown(file.fileno(), old.st_uid, old.st_gid)
            # It holds the passwords as they are: never for others.
            os.fchmod(file.fileno(), 0o600 if old is None else old.st_mode & 0o660)
            os.fsync(file.fileno())
        copy.replace(self.path)

    def _store(self, path: Path, name: str, password: str, *flags: str) -> None:
        arguments: tuple[str | Path, ...] = ("-p", *flags, "-a", APPLICATION, *self._in_realm(), "-f", path, "--", name)
        self._run("saslpasswd2", *arguments, given=password, quiet=True)

    def _listed(self, path: Path) -> list[User]:
        if not path.exists():
            return []
        found = set()
        for line in self._run("sasldblistusers2", "-f", path).splitlines():
            user, colon, _ = line.rpartition(": ")
            name, _, realm = user.rpartition("@")
            if colon and name:
                found.add(User(name, realm))
        return sorted(found)

    @staticmethod
    def _run(program: str, *arguments: str | Path, given: str = "", quiet: bool = False) -> str:
        """Run one of Cyrus's programs. `quiet`: what its failure means is seen by what it left undone."""
        command = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if command is None:
            raise UserError(f"the program {program} is not installed (Debian: apt install sasl2-bin)")
        done = subprocess.run(
            [command, *arguments], input=given.encode(), capture_output=True, timeout=_PROGRAM_SECONDS, check=False
        )  # fmt: skip
        if done.returncode != 0 and not quiet:
            said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
            raise UserError(f"{program} failed: {said[-1]}")
        return done.stdout.decode(errors="replace")


def _check(name: str, password: str | None = None) -> None:
    if not name or len(name) > NAME_MAX or not name.isprintable() or "@" in name or name != name.strip():
        raise UserError("a user's name is one line without @ (the realm is --realm) and without spaces around it")
    if password is None:
        return
    if not password or "\0" in password or "\n" in password:
        raise UserError("a password is one line, and not empty")
    if len(password.encode()) > PASSWORD_MAX:
        raise UserError(f"a password may have at most {PASSWORD_MAX} bytes")
