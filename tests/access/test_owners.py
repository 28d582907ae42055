# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file of owners: what is recorded survives, nothing is half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred, execute, succeed
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from virtproxy.access.owners import DEPARTED_MAX, Owned, Owners, OwnersError, read_owners
from virtproxy.identity import Identity

URI = "qemu:///system"


def key(identity: Identity) -> str | None:
    return identity.user_name


def at_once(work: Callable[[], None]) -> Deferred[None]:
    work()
    return succeed(None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "owners.json"


@pytest_twisted.ensureDeferred
async def test_what_is_recorded_is_on_the_disk(path: Path) -> None:
    owners = Owners(path, key, at_once)
    await owners.record(URI, "domain", "u-1", "unix:ann")
    await owners.record(URI, "storage_vol", "pool/a b", "unix:bob")
    again = Owners(path, key)
    assert again.owner_of(URI, "domain", "u-1") == "unix:ann"
    assert again.of("unix:bob") == [Owned(URI, "storage_vol", "pool/a b")]
    assert dict(again) == dict(owners)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest_twisted.ensureDeferred
async def test_what_is_gone_has_an_owner_for_a_moment(path: Path) -> None:
    owners = Owners(path, key, at_once)
    await owners.record(URI, "domain", "u", "unix:ann")
    await owners.remove(URI, "domain", "u")
    assert owners.owner_of(URI, "domain", "u") is None
    assert owners.was_owner_of(URI, "domain", "u") == "unix:ann"
    assert read_owners(path) == {}
    owners = Owners(None, key)
    await owners.record(URI, "domain", "u", "unix:ann")
    await owners.remove(URI, "domain", "u")
    for number in range(DEPARTED_MAX):
        await owners.record(URI, "domain", str(number), "unix:bob")
        await owners.remove(URI, "domain", str(number))
    assert owners.was_owner_of(URI, "domain", "u") is None
    assert owners.owner_of(URI, "domain", None) is None


def test_changes_meanwhile_are_written_together(path: Path) -> None:
    writings: list[tuple[Callable[[], None], Deferred[None]]] = []

    def later(work: Callable[[], None]) -> Deferred[None]:
        writings.append((work, Deferred()))
        return writings[-1][1]

    owners = Owners(path, key, later)
    done = [ensureDeferred(owners.record(URI, "domain", str(number), "unix:ann")) for number in range(50)]
    assert len(writings) == 1
    writings[0][0]()
    writings[0][1].callback(None)
    assert [each.called for each in done] == [True] + [False] * 49
    assert len(writings) == 2
    writings[1][0]()
    writings[1][1].callback(None)
    assert all(each.called for each in done)
    assert len(read_owners(path)) == 50


@pytest_twisted.ensureDeferred
async def test_a_full_disk_is_in_the_log_and_ends_nothing(path: Path, flush_log: Callable[[], list[str]]) -> None:
    owners = Owners(path, key, execute)
    path.parent.write_text("a file in the way")
    await owners.record(URI, "domain", "u", "unix:ann")
    assert owners.owner_of(URI, "domain", "u") == "unix:ann"
    assert "could not be written" in "".join(flush_log())


@pytest.fixture
def flush_log() -> Iterator[Callable[[], list[str]]]:
    heard: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        heard.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lambda: heard
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version": 2, "owners": []}', '{"version": 1, "owners": [["a", "b", "c"]]}', '{"version": 1}',
     '{"version": 1, "owners": [["a", "b", "c", 4]]}', '{"version": 1, "owners": 7}'],
)  # fmt: skip
def test_a_broken_file_is_refused_and_stays(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(OwnersError, match="repair the file"):
        Owners(path, key)
    assert path.read_text() == text


def test_a_kill_leaves_whole_files_and_nothing_that_was_answered_is_missing(path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from twisted.internet.defer import ensureDeferred, execute
from virtproxy.access.owners import Owners
owners = Owners(Path({str(path)!r}), lambda identity: None, lambda work: execute(work))
for number in range(1000000):
    ensureDeferred(owners.record("u", "domain", str(number), "ann"))
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.3)
        os.kill(child.pid, signal.SIGKILL)
        answered = [int(line) for line in child.stdout.read().split("\n")[:-1]]
    kept = {int(thing.identity) for thing in read_owners(path)}
    assert answered
    assert kept >= set(answered)
    assert len(kept) - (answered[-1] + 1) in (0, 1)
    json.loads(path.read_text())
