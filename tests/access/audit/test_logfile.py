# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file: modes, one writer, restarts, torn lines, rotation by us and by others."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import resource
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.access.audit.conftest import KEY, Log
from virtproxy.access.audit import files
from virtproxy.access.audit.chain import Seal
from virtproxy.access.audit.logfile import LogFile, NotALog
from virtproxy.access.audit.recorder import Rotation
from virtproxy.access.audit.verify import Verdict, Verifier, logs

Fill = Callable[[int], None]


def verdict(log: Log, key: bytes | None = None) -> Verdict:
    (paths,) = logs([log.path])
    return Verifier(key).run(paths)


def test_it_is_private_and_continues_after_a_restart(log: Log, filled: Fill) -> None:
    filled(3)
    filled(2)
    assert stat.S_IMODE(os.stat(log.path).st_mode) == 0o600
    assert [record["seq"] for record in log.records()] == [1, 2, 3, 4, 5]
    assert verdict(log).broken is None


def test_a_group_may_read_it(log: Log) -> None:
    LogFile(log.path, Seal(), lambda: 0.0, os.getgid()).open()
    status = os.stat(log.path)
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o640, os.getgid())


def test_there_is_one_writer(log: Log) -> None:
    log.start()
    with pytest.raises(NotALog, match="another process writes"):
        log.start()


@pytest.mark.parametrize("text", [b"127.0.0.1 localhost\n", b'{"a":1}\n', b"x"])
def test_another_file_is_left_alone(log: Log, text: bytes) -> None:
    Path(log.path).write_bytes(text)
    with pytest.raises(NotALog, match="not an audit log"):
        log.start()
    assert Path(log.path).read_bytes() == text


def test_no_link_is_followed_and_nothing_but_a_file_is_written(log: Log, tmp_path: Path) -> None:
    os.symlink(tmp_path / "elsewhere", log.path)
    with pytest.raises(OSError, match="symbolic"):
        log.start()
    os.unlink(log.path)
    os.mkfifo(log.path)
    with pytest.raises(NotALog, match="is not a file"):
        log.start()


def test_another_key_does_not_continue_the_chain(log: Log, filled: Fill) -> None:
    filled(2)
    log.key = KEY
    with pytest.raises(NotALog, match="audit_key_file"):
        log.start()


def test_a_keyed_log_continues(log: Log, filled: Fill) -> None:
    log.key = KEY
    filled(2)
    filled(2)
    assert verdict(log, KEY).lines == 4
    assert verdict(log, KEY).broken is None


@pytest.mark.parametrize("rest", [b'{"prev":"12', b"\0" * 700, b'{"prev":1}\n{"pre', b"\n", b"\xff\n\n\xfe"])
def test_what_a_crash_left_is_said_and_kept(log: Log, filled: Fill, rest: bytes) -> None:
    filled(3)
    with open(log.path, "ab") as file:
        file.write(rest)
    # Until the daemon says so, it may only be the beginning of a line.
    assert verdict(log).torn == (b"\n" not in rest)
    filled(2)
    torn = log.records()[3]
    assert (torn["event"], torn["bytes"]) == ("torn", len(rest))
    assert torn["sha256"] == hashlib.sha256(rest).hexdigest()
    assert rest in Path(log.path).read_bytes()
    found = verdict(log)
    assert (found.broken, found.torn, found.lines) == (None, 1, 6)


def test_a_torn_first_line(log: Log, filled: Fill) -> None:
    Path(log.path).write_bytes(b'{"prev":"000')
    filled(1)
    assert [record["event"] for record in log.records()] == ["torn", "test"]
    assert verdict(log).broken is None


def test_a_line_that_only_lacks_its_end_gets_it(log: Log, filled: Fill) -> None:
    filled(3)
    text = Path(log.path).read_bytes()
    Path(log.path).write_bytes(text[:-1])
    filled(1)
    assert [record["seq"] for record in log.records()] == [1, 2, 3, 4]
    assert Path(log.path).read_bytes().startswith(text)
    assert verdict(log).broken is None


def test_a_long_last_line_is_found(log: Log) -> None:
    recorder = log.start()
    recorder.event("test")
    recorder.record('"time":"t","event":"long","xml":"' + "x" * 300_000 + '"')
    log.kill(recorder)
    assert log.start().log.sequence == 2


@pytest.fixture
def small_files() -> Iterator[Callable[[int], None]]:
    """Lets this process write no file beyond a size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


def test_a_line_that_did_not_fit_leaves_nothing(log: Log, small_files: Callable[[int], None]) -> None:
    file = log.start().log
    file.append('"event":"one"')
    small_files(file.size + 20)
    with pytest.raises(OSError, match="large"):
        file.append('"event":"two"')
    assert os.path.getsize(log.path) == file.size
    small_files(resource.RLIM_INFINITY)
    file.append('"event":"three"')
    assert [record["seq"] for record in log.records()] == [1, 2]
    assert verdict(log).broken is None


def test_a_piece_that_cannot_be_taken_back_is_said(
    log: Log, small_files: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def immutable(fd: int, size: int) -> None:
        raise PermissionError(errno.EPERM, "append only")

    file = log.start().log
    file.append('"event":"one"')
    small_files(file.size + 20)
    monkeypatch.setattr(os, "ftruncate", immutable)
    with pytest.raises(OSError, match="large"):
        file.append('"event":"two"')
    small_files(resource.RLIM_INFINITY)
    file.append('"event":"three"')
    events = [(record["event"], record.get("bytes")) for record in log.records()]
    assert events == [("one", None), ("torn", 20), ("three", None)]
    assert verdict(log).broken is None


def test_rotation_has_no_gap(log: Log) -> None:
    log.rotation = Rotation(size=2000)
    recorder = log.start()
    for number in range(100):
        recorder.event("test", ("number", number))
    names = [os.path.basename(path) for path in files.rotated(log.path)]
    assert len(names) > 5
    assert all(os.path.getsize(path) < 2400 for path in files.family(log.path))
    assert [record["number"] for record in log.records() if record["event"] == "test"] == list(range(100))
    firsts = [record for record in log.records() if record["event"] == "continued"]
    assert [record["from"] for record in firsts] == names
    assert verdict(log).broken is None
    log.kill(recorder)
    log.start().event("test")
    assert verdict(log).broken is None


@pytest.mark.parametrize("step", ["new is written", "old is renamed"])
def test_a_rotation_that_was_cut_short(log: Log, filled: Fill, step: str) -> None:
    filled(3)
    recorder = log.start()
    recorder.log.rotate()
    log.kill(recorder)
    (old,) = files.rotated(log.path)
    os.rename(log.path, log.path + files.NEW)
    if step == "new is written":
        os.rename(old, log.path)
    filled(2)
    assert not os.path.exists(log.path + files.NEW)
    assert verdict(log).broken is None
    assert [record["event"] for record in log.records()].count("test") == 5


@pytest.mark.parametrize("failing", [1, 2])
def test_a_rotation_that_fails_goes_on_in_the_old_file(log: Log, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    log.rotation = Rotation(size=1500)
    recorder = log.start()
    rename, calls = os.rename, [0]

    def full(source: str, target: str) -> None:
        calls[0] += 1
        if calls[0] % 3 == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", full)
    for number in range(30):
        assert recorder.event("test", ("number", number))
    assert recorder.problem is None
    assert len(log.warned) >= 1 and "cannot be rotated" in log.warned[0]
    assert [record["number"] for record in log.records() if "number" in record] == list(range(30))
    assert verdict(log).broken is None


def test_the_chain_continues_from_a_rotated_file(log: Log, filled: Fill) -> None:
    filled(3)
    os.rename(log.path, log.path + "-20261125")
    with open(log.path + "-20261125", "rb") as source, gzip.open(log.path + "-20261125.gz", "wb") as target:
        target.write(source.read())
    os.unlink(log.path + "-20261125")
    filled(1)
    assert [record["seq"] for record in log.records()] == [1, 2, 3, 4, 5]
    assert log.records()[3]["from"] == "audit.jsonl-20261125.gz"
    assert verdict(log).broken is None


def test_a_renamed_file_is_noticed(log: Log) -> None:
    recorder = log.start()
    recorder.event("one")
    os.rename(log.path, log.path + ".1")
    recorder.event("two")
    recorder.tick()
    recorder.event("three")
    assert [(record["event"], record.get("from")) for record in log.records()] == [
        ("one", None), ("two", None), ("continued", "audit.jsonl.1"), ("three", None),
    ]  # fmt: skip
    assert verdict(log).broken is None


def test_a_removed_file_is_noticed(log: Log) -> None:
    recorder = log.start()
    recorder.event("one")
    os.unlink(log.path)
    recorder.tick()
    recorder.event("two")
    assert [record["seq"] for record in log.records()] == [2, 3]
    assert verdict(log).first == 2


def test_another_file_in_its_place_is_not_written(log: Log) -> None:
    recorder = log.start()
    recorder.event("one")
    os.unlink(log.path)
    Path(log.path).write_text("something else\n")
    recorder.tick()
    assert recorder.problem is not None and "something else" in recorder.problem
    os.unlink(log.path)
    recorder.tick()
    assert recorder.problem is None


def test_what_others_do_to_the_file_is_said(log: Log) -> None:
    recorder = log.start()
    recorder.event("one")
    recorder.event("two")
    with open(log.path, "ab") as file:
        file.write(b"a forged line\n")
    recorder.tick()
    recorder.event("three")
    assert [record["event"] for record in log.records()] == ["one", "two", "torn", "three"]
    os.truncate(log.path, os.path.getsize(log.path) - 100)
    recorder.tick()
    # What is left of the last line is no line any more, and the chain is broken there.
    assert [(record["event"], record.get("bytes")) for record in log.records()[2:]] == [
        ("torn", 14),
        ("truncated", 100),
    ]
    assert ":5: this is no line of an audit log" in str(verdict(log).broken)


def test_old_files_are_compressed_and_pruned(log: Log) -> None:
    log.rotation = Rotation(size=1000)
    recorder = log.start()
    for number in range(60):
        recorder.event("test", ("number", number))
    shutil.copy(files.rotated(log.path)[1], files.rotated(log.path)[1] + ".gz")  # a crash in the middle of it
    assert verdict(log).broken is None
    for path in files.rotated(log.path):
        if not path.endswith(".gz"):
            files.compress(path)
    assert all(path.endswith(".gz") for path in files.rotated(log.path))
    assert stat.S_IMODE(os.stat(files.rotated(log.path)[0]).st_mode) == 0o600
    assert verdict(log).broken is None
    count = len(files.rotated(log.path))
    assert len(files.prune(log.path, 2)) == count - 2
    found = verdict(log)
    assert found.broken is None and found.first is not None and found.first > 1
