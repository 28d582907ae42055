# SPDX-License-Identifier: LGPL-2.1-or-later
"""Volumes that are being made: in a hidden directory of the pool until they are whole; a crash leaves no half one.

Before the directory there is a record of it below the daemon's state, and after a crash the record says what to remove:
when a pool is taken up, what its records name goes, and nothing else. Everything here blocks, but for `making`.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from twisted.logger import Logger

from virtproxy.driver import ErrorCode, Place
from virtproxy.drivers.storage.errors import failed, failure, system
from virtproxy.drivers.storage.local import HIDDEN
from virtproxy.drivers.storage.progress import told, written

_log = Logger()


class Unfinished:
    """The records of one daemon, a file each: its name is the hidden directory's, its content the pool's directory."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._directory = os.path.join(place.state, "storage", "unfinished")

    @asynccontextmanager
    async def making(self, path: str) -> AsyncIterator[str]:
        """Where to make what will be at `path`: it gets there when the block ends well, and is gone if it does not.

        VirtError OPERATION_FAILED if something is at `path`, then or before; SYSTEM_ERROR if the disk refuses.
        """
        hidden = await self._call(self._begin, path)
        try:
            made = os.path.join(hidden, os.path.basename(path))
            with told(self._place, f"making the volume {path}", lambda: written(made)):
                yield made
            await self._call(self._publish, hidden, path)
        finally:
            await self._place.blocking(self._forget, hidden)

    def clean(self, directory: str) -> None:
        """Remove what a daemon that ended in the middle left in a pool's directory."""
        for name in self._names():
            record = os.path.join(self._directory, name)
            with suppress(OSError):
                with open(record, encoding="utf-8", errors="surrogateescape") as file:
                    where = file.read()
                if where == directory:
                    _log.info("removing an unfinished volume in '{path}'", path=where)
                    self._forget(os.path.join(where, name))

    def _names(self) -> list[str]:
        try:
            return [name for name in os.listdir(self._directory) if HIDDEN.fullmatch(name)]
        except OSError:
            return []

    async def _call(self, work: object, *args: str) -> str:
        try:
            result: str = await self._place.blocking(work, *args)  # type: ignore[arg-type]
        except OSError as error:
            raise system(error, f"cannot create path '{args[-1]}'") from None
        return result

    def _begin(self, path: str) -> str:
        if os.path.lexists(path):
            raise failed(f"volume target path '{path}' already exists")
        directory = os.path.dirname(path)
        name = f".virtproxy-{secrets.token_hex(4)}"
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        record = os.path.join(self._directory, name)
        with open(record, "x", encoding="utf-8", errors="surrogateescape") as file:
            file.write(directory)
            file.flush()
            os.fsync(file.fileno())
        hidden = os.path.join(directory, name)
        try:
            os.mkdir(hidden, 0o700)
        except OSError:
            os.unlink(record)
            raise
        return hidden

    def _publish(self, hidden: str, path: str) -> str:
        made = os.path.join(hidden, os.path.basename(path))
        try:
            os.link(made, path, follow_symlinks=False)
        except FileExistsError:
            raise failure(ErrorCode.OPERATION_FAILED, f"volume target path '{path}' already exists") from None
        except OSError:
            # A file system without links.
            if os.path.lexists(path):
                raise failed(f"volume target path '{path}' already exists") from None
            os.rename(made, path)
        return path

    def _forget(self, hidden: str) -> None:
        shutil.rmtree(hidden, ignore_errors=True)
        if not os.path.lexists(hidden):
            with suppress(OSError):
                os.unlink(os.path.join(self._directory, os.path.basename(hidden)))
