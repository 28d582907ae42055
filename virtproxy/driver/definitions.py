# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions, autostart links and status files in a directory, as libvirt keeps them: one `NAME.xml` an object.

A host's directory can be used by libvirt's daemons and by these in turn. Files are replaced as a whole and are on
disk when a call returns. What cannot be read is logged and skipped: one broken file must not keep the rest away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from virtproxy.driver.changes import Changes
from virtproxy.driver.files import link_file, make_directory, remove_file, write_file
from virtproxy.driver.place import Place
from virtproxy.errors import VirtError, invalid_arg
from virtproxy.protocol.errors import ErrorCode

T = TypeVar("T")
# A definition is a document; a larger file is none.
SIZE_MAX = 16 * 1024 * 1024
# Characters that would do something in a shell: a command line in a comment never shows them.
_SHELL = set("\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")
_log = Logger()


class Stored(NamedTuple, Generic[T]):
    """One file's content: the name (that of the file), what `parse` made of it, and whether it starts by itself."""

    name: str
    value: T
    autostart: bool


class Definitions:
    """The files of one kind of object, in `directory`; an absolute path below the place's `config`.

    `edit` is the virsh command that changes one ("net-edit"), for the comment on top; without it there is no
    comment, as in the files of secrets. `autostart` is the directory of the links, or None where there are none.
    The modes are those of files and of directories that are made.
    """

    def __init__(
        self,
        place: Place,
        directory: str,
        *,
        edit: str | None = None,
        autostart: str | None = None,
        mode: int = 0o600,
        directory_mode: int = 0o755,
    ) -> None:
        self.directory = os.path.join(place.config, directory)
        self._place = place
        self._edit = edit
        self._links = None if autostart is None else os.path.join(place.config, autostart)
        self._mode = mode
        self._directory_mode = directory_mode
        # Two changes of one file never overlap.
        self._lock = DeferredLock()
        self._changes = Changes()

    def path(self, name: str) -> str:
        """The file of the object called `name`; VirtError if no file can be called so."""
        return os.path.join(self.directory, _file_name(name))

    def link(self, name: str) -> str | None:
        """Where the autostart link of `name` is, if its kind has any."""
        return None if self._links is None else os.path.join(self._links, _file_name(name))

    async def load(self, parse: Callable[[str], T]) -> list[Stored[T]]:
        """Read every definition, in the order of names; `parse` may raise VirtError or ValueError: it is skipped.

        A missing directory is an empty one.
        """
        found = []
        for name, text, autostart in await self._place.blocking(lambda: list(self._read_all())):
            try:
                found.append(Stored(name, parse(text), autostart))
            except (VirtError, ValueError) as error:
                _log.error("{path} is not used: {error}", path=self.path(name), error=error)
        return found

    async def save(self, name: str, text: str, uuid: bytes = b"") -> None:
        """Write the definition of `name`; VirtError SYSTEM_ERROR if the disk refuses."""
        path = self.path(name)
        head = "" if self._edit is None else header(self._edit, name, uuid)
        await self._change(path, lambda: self._write(path, f"{head}{text}"))

    async def delete(self, name: str) -> None:
        """Remove the definition of `name` and its autostart link, whichever there are."""
        path, link = self.path(name), self.link(name)

        def remove() -> None:
            if link is not None:
                remove_file(link)
            remove_file(path)

        await self._change(path, remove)

    async def set_autostart(self, name: str, on: bool) -> None:
        """Let `name` start by itself, or no more."""
        path, link = self.path(name), self.link(name)
        if link is None:
            raise ValueError(f"nothing in {self.directory} starts by itself")
        where = link

        def change() -> None:
            if on:
                make_directory(os.path.dirname(where), self._directory_mode)
                link_file(path, where)
            else:
                remove_file(where)

        await self._change(where, change)

    async def rename(self, former: str, name: str, text: str, uuid: bytes = b"") -> None:
        """Write `text` under the new name and remove the old file; the autostart link goes along."""
        link = self.link(former)
        starts = link is not None and await self._place.blocking(os.path.islink, link)
        await self.save(name, text, uuid)
        if starts:
            await self.set_autostart(name, True)
        await self.delete(former)

    async def _change(self, path: str, work: Callable[[], None]) -> None:
        # A thread cannot be cancelled: whoever comes next waits for it, even if its caller does not.
        await self._changes.whole(self._in_turn(path, work))

    async def _in_turn(self, path: str, work: Callable[[], None]) -> None:
        await self._lock.acquire()
        try:
            await self._place.blocking(work)
        except OSError as error:
            raise system_error(error, f"cannot write config file '{path}'") from None
        finally:
            self._lock.release()

    def _write(self, path: str, text: str) -> None:
        make_directory(self.directory, self._directory_mode)
        write_file(path, text.encode(), self._mode)

    def _read_all(self) -> Iterator[tuple[str, str, bool]]:
        try:
            names = sorted(os.listdir(self.directory))
        except FileNotFoundError:
            return
        except OSError as error:
            _log.error("{path} cannot be read: {error}", path=self.directory, error=error.strerror)
            return
        for file in names:
            if file.endswith(".xml") and not file.startswith("."):
                text = self._read(os.path.join(self.directory, file))
                if text is not None:
                    yield file.removesuffix(".xml"), text, self._starts(file)

    def _read(self, path: str) -> str | None:
        try:
            with open(path, "rb") as file:
                data = file.read(SIZE_MAX + 1)
            if len(data) > SIZE_MAX:
                raise ValueError(f"it is larger than {SIZE_MAX} bytes")
            return data.decode()
        except (OSError, ValueError) as error:
            _log.error("{path} is not used: {error}", path=path, error=error)
            return None

    def _starts(self, file: str) -> bool:
        """Whether there is an autostart link that leads to this very file."""
        if self._links is None:
            return False
        link = os.path.join(self._links, file)
        try:
            return os.path.islink(link) and os.path.samefile(link, os.path.join(self.directory, file))
        except OSError:
            return False


class StatusFiles(Definitions):
    """What runs, written while it does: a daemon that starts attaches to it. Below `run`: `place.run_of("storage")`."""

    def __init__(self, place: Place, directory: str, *, edit: str | None = None) -> None:
        super().__init__(place, directory, edit=edit)
        self.directory = os.path.join(place.run, directory)


async def should_autostart(place: Place, directory: str) -> bool:
    """Whether a driver starts what starts by itself: once after the host has started, not with each daemon.

    As libvirt does it, the file `autostarted` in the driver's directory below `run` says that it has been done.
    """
    path = os.path.join(place.run_of(directory), "autostarted")

    def first() -> bool:
        make_directory(os.path.dirname(path), 0o755)
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        return True

    try:
        return await place.blocking(first)
    except OSError as error:
        raise system_error(error, f"cannot write '{path}'") from None


def header(edit: str, name: str, uuid: bytes = b"") -> str:
    """The comment that libvirt puts on top of a definition: who changes it by hand loses the change.

    It names the command with the object's name, or its UUID where the name does not go into a shell or a comment.
    """
    subject = next((f" {word}" for word in (name, str(UUID(bytes=uuid)) if uuid else "") if _is_plain(word)), "")
    return (
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        f"  virsh {edit}{subject}\nor other application using the libvirt API.\n-->\n\n"
    )


def system_error(error: OSError, what: str) -> VirtError:
    """A failed system call as libvirt words it: what was to be done, and the system's reason."""
    number = error.errno or 0
    return VirtError.of(ErrorCode.SYSTEM_ERROR, f"{what}: {error.strerror or error}", int1=number)


def _is_plain(word: str) -> bool:
    return bool(word) and not _SHELL.intersection(word) and "--" not in word


def _file_name(name: str) -> str:
    if not name or "/" in name or "\0" in name:
        raise invalid_arg(f"no file can be called '{name}.xml'")
    return f"{name}.xml"
