# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who owns what: the callers who defined or created things, kept in a file.

The access stage records and asks, quotas count. What came to be in other ways has no owner. The file is replaced as a
whole, and only after its new contents are on the disk: it is never half written. It decides nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from virtproxy.identity import Identity

VERSION = 1
# How many things are remembered after their end, so that their last events still find their owners.
DEPARTED_MAX = 1024
InThread = Callable[[Callable[[], None]], "Deferred[None]"]


class Owned(NamedTuple):
    """A thing that somebody owns: `uri` and `kind` as in `decision.Thing`; `identity` is `things.identity_of` it."""

    uri: str
    kind: str
    identity: str


class OwnersError(Exception):
    """The file of owners cannot be used; says why and what to do."""


class Owners:
    """The owners of things. `path` is None where nothing is kept beyond the process.

    `key` gives the name under which a caller owns things, None for one who can own nothing. Raises OwnersError if
    the file is there and cannot be read.
    """

    _log = Logger()

    def __init__(
        self, path: Path | None, key: Callable[[Identity], str | None], in_thread: InThread = deferToThread
    ) -> None:
        self.key = key
        self._path = path
        self._in_thread = in_thread
        self._owners: dict[Owned, str] = {} if path is None else read_owners(path)
        self._departed: OrderedDict[Owned, str] = OrderedDict()
        # Whoever waits for the next writing, and whether one is under way.
        self._waiting: list[Deferred[None]] = []
        self._writing = False

    def __iter__(self) -> Iterator[tuple[Owned, str]]:
        """Everything that is owned, with its owner."""
        return iter(list(self._owners.items()))

    def of(self, owner: str) -> list[Owned]:
        """What somebody owns."""
        return [thing for thing, name in self._owners.items() if name == owner]

    def owner_of(self, uri: str, kind: str, identity: str | None) -> str | None:
        """Who owns a thing; None if nobody does."""
        return None if identity is None else self._owners.get(Owned(uri, kind, identity))

    def was_owner_of(self, uri: str, kind: str, identity: str | None) -> str | None:
        """Who owns a thing, or owned it when it ceased to exist a moment ago."""
        if identity is None:
            return None
        thing = Owned(uri, kind, identity)
        return self._owners.get(thing, self._departed.get(thing))

    async def record(self, uri: str, kind: str, identity: str, owner: str) -> None:
        """A thing belongs to `owner` from now on; returns when that is on the disk, or cannot be."""
        thing = Owned(uri, kind, identity)
        if self._owners.get(thing) != owner:
            self._owners[thing] = owner
            self._departed.pop(thing, None)
            await self._written()

    async def remove(self, uri: str, kind: str, identity: str) -> None:
        """A thing ceased to exist; returns as `record` does."""
        thing = Owned(uri, kind, identity)
        owner = self._owners.pop(thing, None)
        if owner is None:
            return
        self._departed[thing] = owner
        if len(self._departed) > DEPARTED_MAX:
            self._departed.popitem(last=False)
        await self._written()

    def _written(self) -> Deferred[None]:
        if self._path is None:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._writing:
            self._write()
        return done

    def _write(self) -> None:
        """Write what there is now for all who wait; who comes meanwhile waits for the next writing."""
        waiting, self._waiting = self._waiting, []
        owners, path = dict(self._owners), self._path or Path()
        self._writing = True
        writing = self._in_thread(lambda: replace_file(path, to_text(owners)))

        def done(result: Any) -> None:
            self._writing = False
            if result is not None:
                self._log.error("{path}: the owners could not be written: {why}", path=path, why=result.value)
            if self._waiting:
                self._write()
            for each in waiting:
                each.callback(None)

        writing.addBoth(done)


def to_text(owners: dict[Owned, str]) -> str:
    """The contents of the file."""
    rows = sorted([*thing, owner] for thing, owner in owners.items())
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return (
        f'{{"version": {VERSION}, "owners": [\n  {lines}\n]}}\n'
        if rows
        else f'{{"version": {VERSION}, "owners": []}}\n'
    )


def read_owners(path: Path) -> dict[Owned, str]:
    """The owners that a file has; none if it is not there. Raises OwnersError."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OwnersError(f"{path}: the owners cannot be read: {error}; repair the file or move it away") from None
    try:
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']} is not known")
        rows = found["owners"]
        if not all(len(row) == 4 and all(isinstance(word, str) for word in row) for row in rows):
            raise ValueError("an entry is not [uri, kind, identity, owner]")
        return {Owned(*row[:3]): row[3] for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise OwnersError(f"{path}: this is no file of owners: {error}; repair the file or move it away") from None


def replace_file(path: Path, text: str) -> None:
    """Put `text` in the place of a file, mode 0600, so that the old or the new contents survive anything. OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
