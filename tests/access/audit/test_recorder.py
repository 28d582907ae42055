# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens when the log cannot be written: refused or kept, counted, made good."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.audit.conftest import NOON, Log
from virtproxy.access.audit import files, recorder
from virtproxy.access.audit.recorder import Rotation
from virtproxy.access.audit.reserve import give_back, reserve
from virtproxy.access.audit.verify import Verifier, logs


class Disk:
    """Makes writing to a file fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        write = os.write

        def failing(fd: int, data: bytes) -> int:
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            return write(fd, data)

        monkeypatch.setattr(os, "write", failing)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_what_cannot_be_written_is_kept_and_made_good(log: Log, disk: Disk, number: int) -> None:
    made = log.start()
    disk.error = number
    assert not made.event("one")
    assert made.promise(100) == os.strerror(number)
    made.refused()
    assert not made.event("two")
    log.now += 5
    made.tick()
    assert made.problem == os.strerror(number)
    disk.error = None
    made.tick()
    assert made.problem is None and made.promise(100) is None
    gap, one, two = log.records()
    assert (gap["event"], gap["reason"], gap["late"], gap["lost"], gap["refused"]) == (
        "gap", os.strerror(number), 2, 0, 1,
    )  # fmt: skip
    assert (one["event"], one["late"], two["event"]) == ("one", True, "two")
    assert one["time"] < gap["time"], "a record keeps the time of what it records"
    assert len(log.warned) == 2
    found = Verifier().run(logs([log.path])[0])
    assert (found.broken, found.gaps, found.refused) == (None, 1, 1)


def test_what_is_too_much_to_keep_is_counted(log: Log, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "KEPT_BYTES", 200)
    made = log.start()
    disk.error = errno.ENOSPC
    for _ in range(10):
        made.event("one")
    disk.error = None
    made.tick()
    gap = log.records()[0]
    assert gap["lost"] + gap["late"] == 10
    assert gap["late"] == len(log.records()) - 1 < 10


def test_it_fails_again_while_it_makes_good(log: Log, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = log.start()
    disk.error = errno.ENOSPC
    for name in ("one", "two", "three"):
        made.event(name)
    disk.error = None
    append, left = made.log.append, [2]

    def few(members: str) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "full again")
        return append(members)

    monkeypatch.setattr(made.log, "append", few)
    made.tick()
    assert made.problem == "full again"
    monkeypatch.setattr(made.log, "append", append)
    made.tick()
    assert [record["event"] for record in log.records()] == ["gap", "one", "gap", "two", "three"]


def test_a_new_day_begins_a_new_file(log: Log) -> None:
    log.rotation = Rotation(daily=True)
    made = log.start()
    made.event("one")
    made.tick()
    # The first file's day is known once it has a line.
    log.kill(made)
    made = log.start()
    made.tick()
    assert files.rotated(log.path) == []
    log.now = NOON + 86400
    made.tick()
    made.event("two")
    made.tick()
    assert len(files.rotated(log.path)) == 1
    assert [record["event"] for record in log.records()] == ["one", "continued", "two"]


def test_the_reserve_is_no_part_of_the_size(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        assert reserve(file.fileno(), 0, 300_000)
        status = os.fstat(file.fileno())
        assert status.st_size == 0 and status.st_blocks * 512 >= 300_000
        file.write(b"a line")
        file.flush()
        give_back(file.fileno())
        assert os.fstat(file.fileno()).st_size == 6


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.root
@pytest.mark.programs("mount", "umount")
def test_a_full_disk_is_noticed_while_there_is_room_for_what_was_promised(small_disk: Path) -> None:
    log = Log(small_disk / "audit.jsonl")
    made = log.start()
    made.event("one")
    assert made.promise(5000) is None
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="space"):
        ballast.write_bytes(bytes(1024 * 1024))
    # What was promised can be written although nothing else can; after that nothing is promised.
    promised = 1
    while made.promise(5000) is None:
        promised += 1
        assert promised < 1000
    for number in range(promised):
        assert made.event("call", ("number", number), ("text", "x" * 800))
        made.fulfil(5000)
    made.refused()
    assert made.problem == "No space left on device"
    made.tick()
    assert made.problem is not None
    ballast.unlink()
    made.tick()
    assert made.promise(5000) is None
    assert [record["number"] for record in log.records() if record.get("event") == "call"] == list(range(promised))
    assert log.records()[-1]["event"] == "gap"
    assert Verifier().run(logs([log.path])[0]).broken is None
    log.close()


@pytest.mark.root
@pytest.mark.programs("mount", "umount")
def test_a_file_system_that_became_read_only(small_disk: Path) -> None:
    log = Log(small_disk / "audit.jsonl")
    made = log.start()
    made.event("one")
    log.kill(made)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(OSError, match="Read-only"):
        log.start()
    log.close()
