# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far something long has come is told as long as it goes on, and nothing fails for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from virtproxy.driver import Place
from virtproxy.drivers.storage.progress import EVERY_SECONDS, MIB, ticking, told, written


@implementer(ILogObserver)
class Heard:
    """What was logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))


def test_it_is_told_every_ten_seconds_until_the_end() -> None:
    clock, heard, sizes = Clock(), Heard(), iter((3 * MIB, 7 * MIB))

    async def measure() -> int:
        return next(sizes)

    globalLogPublisher.addObserver(heard)
    try:
        with ticking(clock, "making the volume v", measure):
            clock.advance(EVERY_SECONDS - 1)
            assert heard.lines == []
            clock.advance(1)
            clock.advance(EVERY_SECONDS)
        clock.advance(10 * EVERY_SECONDS)
    finally:
        globalLogPublisher.removeObserver(heard)
    assert heard.lines == ["making the volume v: 3 MiB are written", "making the volume v: 7 MiB are written"]
    assert clock.getDelayedCalls() == []


def test_a_file_that_is_not_there_is_not_told_of_and_a_slow_measure_is_waited_for() -> None:
    clock, heard, slow = Clock(), Heard(), Deferred[int]()
    asked: list[object] = []

    async def measure() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise FileNotFoundError
        return await slow

    globalLogPublisher.addObserver(heard)
    try:
        with ticking(clock, "x", measure):
            for _ in range(5):
                clock.advance(EVERY_SECONDS)
        slow.callback(MIB)
    finally:
        globalLogPublisher.removeObserver(heard)
    assert len(asked) == 2
    assert heard.lines == ["x: 1 MiB are written"]


def test_what_is_written_is_what_the_disk_keeps(tmp_path: Path) -> None:
    file = tmp_path / "v"
    with pytest.raises(OSError):
        written(str(file))
    with file.open("wb") as out:
        out.truncate(100 * MIB)
        out.write(b"x" * MIB)
    assert MIB <= written(str(file)) < 2 * MIB
    with told(Place.under(tmp_path), "x", lambda: 1 // 0):
        pass
