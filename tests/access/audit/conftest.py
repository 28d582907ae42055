# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs with a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from virtproxy.access.audit import files
from virtproxy.access.audit.chain import Seal, entry_of
from virtproxy.access.audit.logfile import LogFile
from virtproxy.access.audit.recorder import Recorder, Rotation

KEY = b"k" * 32
NOON = 1_700_000_000.25


class Log:
    """A log in a directory of its own, its recorder and what that warned of."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.now = NOON
        self.warned: list[str] = []
        self.key: bytes | None = None
        self.rotation = Rotation()
        self._made: list[Recorder] = []

    def start(self) -> Recorder:
        """Open it, as a daemon does that starts."""
        log = LogFile(self.path, Seal(self.key), lambda: self.now)
        made = Recorder(log, self.rotation, lambda: self.now, self.warned.append)
        made.log.open()
        self._made.append(made)
        return made

    def kill(self, recorder: Recorder) -> None:
        """End it without a word, as a killed daemon does."""
        self._made.remove(recorder)
        recorder.close()

    def records(self) -> list[dict[str, Any]]:
        """Every record of every file, in order."""
        found = []
        for path in files.in_order(files.family(self.path)):
            with files.opened(path) as stream:
                found += [entry.members for line in stream if (entry := entry_of(line))]
        return found

    def close(self) -> None:
        for recorder in list(self._made):
            self.kill(recorder)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "audit.jsonl")
    yield made
    made.close()


@pytest.fixture
def filled(log: Log) -> Callable[[int], None]:
    """Writes a log of that many records in one file."""

    def fill(count: int) -> None:
        recorder = log.start()
        for number in range(count):
            recorder.event("test", ("number", number))
        log.kill(recorder)

    return fill
