# SPDX-License-Identifier: LGPL-2.1-or-later
"""The watch of files: whatever way they are replaced, it tells once they are at rest, and never for nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock, deferLater

from virtproxy.daemon import reload
from virtproxy.daemon.reload import QUICK_SECONDS, SETTLE_SECONDS, SLOW_SECONDS, FileWatch, watch_files
from virtproxy.daemon.reload_inotify import inotify_alarm
from virtproxy.daemon.reload_paths import directories_of, stamp_of


class Alarm:
    """An alarm that a test rings."""

    def __init__(self, directories: Iterable[str], wake: Callable[[], None]) -> None:
        self.directories = set(directories)
        self.ring = wake
        self.alive = True
        self.did: list[str] = []

    def start(self) -> None:
        self.did.append("started")

    def close(self) -> None:
        self.did.append("closed")


class Pretended:
    """A watch of ``paths`` on a pretended clock; ``alarms`` are those it made, unless there are none to be had."""

    def __init__(self, *paths: Path, alarms: bool = True) -> None:
        self.clock = Clock()
        self.told = 0
        self.alarms: list[Alarm] = []
        self._have = alarms
        self.watch = FileWatch(self.clock, map(str, paths), self._changed, self._at_once, self._alarm)
        self.watch.start()
        self.clock.advance(0)

    async def _changed(self) -> None:
        self.told += 1

    async def _at_once(self, function: Callable[[], Any]) -> Any:
        return await succeed(None) or function()

    def _alarm(self, directories: Iterable[str], wake: Callable[[], None]) -> Alarm | None:
        if self._have:
            self.alarms.append(Alarm(directories, wake))
            return self.alarms[-1]
        return None

    def after(self, seconds: float) -> int:
        """How often it has told after so many more seconds."""
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)
        return self.told


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("one")
    return path


def test_the_beginning_counts_as_a_change(file: Path) -> None:
    assert Pretended(file).after(SLOW_SECONDS * 3) == 1


def test_a_change_is_told_when_it_has_come_to_rest(file: Path) -> None:
    watch = Pretended(file)
    file.write_text("two..")
    watch.alarms[0].ring()
    assert watch.after(SETTLE_SECONDS + 0.5) == 1
    file.write_text("two, and more")
    watch.alarms[0].ring()
    assert watch.after(SETTLE_SECONDS) == 1
    assert watch.after(SETTLE_SECONDS + 0.2) == 2
    assert watch.after(SLOW_SECONDS) == 2


def test_noise_nearby_is_nothing(file: Path) -> None:
    watch = Pretended(file)
    for _ in range(50):
        watch.alarms[0].ring()
        watch.after(0.1)
    assert watch.told == 1


def test_noise_does_not_hide_a_change(file: Path) -> None:
    watch = Pretended(file)
    file.write_text("other")
    for _ in range(50):
        watch.alarms[0].ring()
        watch.after(0.1)
    assert watch.told == 2


def test_a_change_that_nobody_rang_for_is_found_all_the_same(file: Path) -> None:
    watch = Pretended(file)
    file.write_text("other")
    assert watch.after(SLOW_SECONDS + SETTLE_SECONDS + 1) == 2
    assert [alarm.did for alarm in watch.alarms] == [["started"]]


def test_without_alarms_it_looks_by_itself(file: Path) -> None:
    watch = Pretended(file, alarms=False)
    file.unlink()
    assert watch.after(QUICK_SECONDS + SETTLE_SECONDS + 0.5) == 2
    file.write_text("again")
    assert watch.after(QUICK_SECONDS + SETTLE_SECONDS + 0.5) == 3


def test_the_alarm_follows_the_links(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link = tmp_path / "now"
    link.symlink_to("a")
    watch = Pretended(link / "file")
    assert watch.alarms[0].directories == {str(tmp_path), str(tmp_path / "a")}
    link.unlink()
    link.symlink_to("b")
    watch.alarms[0].ring()
    assert watch.after(SETTLE_SECONDS * 2 + 0.3) == 2
    assert watch.alarms[1].directories == {str(tmp_path), str(tmp_path / "b")}
    assert [alarm.did for alarm in watch.alarms] == [["started", "closed"], ["started"]]


def test_a_dead_alarm_is_replaced(file: Path) -> None:
    watch = Pretended(file)
    watch.alarms[0].alive = False
    watch.alarms[0].ring()
    watch.after(SETTLE_SECONDS * 2)
    assert [alarm.did for alarm in watch.alarms] == [["started", "closed"], ["started"]]


def test_once_stopped_it_does_nothing_more(file: Path) -> None:
    watch = Pretended(file)
    watch.watch.stop()
    file.write_text("other")
    watch.alarms[0].ring()
    assert watch.after(SLOW_SECONDS * 2) == 1
    assert watch.alarms[0].did == ["started", "closed"]
    assert not watch.clock.getDelayedCalls()


def test_a_failure_to_look_is_logged_and_it_goes_on(
    file: Path, monkeypatch: pytest.MonkeyPatch, flush_errors: Callable[..., list[Any]]
) -> None:
    watch = Pretended(file)
    with monkeypatch.context() as broken:
        broken.setattr(reload, "stamp_of", lambda path: 1 // 0)
        watch.after(SLOW_SECONDS + 1)
    assert flush_errors(ZeroDivisionError)
    file.write_text("other")
    assert watch.after(SLOW_SECONDS * 2) == 2


def test_links_on_the_way(tmp_path: Path) -> None:
    real, links = tmp_path / "real", tmp_path / "links"
    for directory in (real, links):
        directory.mkdir()
    (real / "file").write_text("x")
    (links / "data").symlink_to("../real")
    (links / "file").symlink_to("data/file")
    (links / "loop").symlink_to("loop")
    (links / "absolute").symlink_to(real / "file")
    assert directories_of(str(links / "file")) == {str(links), str(real)}
    assert directories_of(str(links / "absolute")) == {str(links), str(real)}
    assert directories_of(str(links / "loop")) == {str(links)}
    assert directories_of(str(links / "data" / ".." / "real" / "file")) == {str(links), str(real)}
    assert directories_of(str(tmp_path / "no" / "file")) == {str(tmp_path)}
    assert stamp_of(str(links / "loop")) is None
    assert stamp_of(str(links / "file")) == stamp_of(str(real / "file"))


class Real:
    """A real watch; ``told`` fires at the next change."""

    def __init__(self) -> None:
        self.count = 0

    async def changed(self) -> None:
        self.count += 1

    async def reaches(self, count: int) -> None:
        for _ in range(100):
            if self.count >= count:
                return
            await deferLater(reactor, 0.05)
        raise AssertionError(f"told {self.count} times")


@pytest_twisted.async_yield_fixture
async def quick(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """So that only inotify can have told of a change."""
    monkeypatch.setattr(reload, "SETTLE_SECONDS", 0.1)
    yield
    turn: Deferred[None] = deferLater(reactor, 0)
    await turn


@pytest.mark.usefixtures("quick")
@pytest_twisted.ensureDeferred
async def test_every_way_to_replace_a_file(tmp_path: Path) -> None:
    path, real = tmp_path / "file", Real()
    path.write_text("one")
    watch = watch_files(reactor, [str(path)], real.changed)
    watch.start()
    await real.reaches(1)
    ways: list[Callable[[], object]] = [
        lambda: path.write_text("written over"),
        lambda: (tmp_path / "new").write_text("renamed") and (tmp_path / "new").rename(path),
        lambda: path.unlink(),
        lambda: path.write_text("again"),
        lambda: path.chmod(0o600),
        lambda: [path.unlink(), path.symlink_to("other")],  # type: ignore[func-returns-value]
        lambda: (tmp_path / "other").write_text("behind the link"),
    ]
    for number, way in enumerate(ways, 2):
        way()
        await real.reaches(number)
    watch.stop()


@pytest.mark.usefixtures("quick")
@pytest_twisted.ensureDeferred
async def test_mounted_secrets(tmp_path: Path) -> None:
    """As Kubernetes does it: a directory of links through one link, which is renamed into place; the old one goes."""
    real, path = Real(), tmp_path / "tls.crt"
    path.symlink_to("..data/tls.crt")

    def publish(name: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "tls.crt").write_text(name)
        (tmp_path / "..new").symlink_to(name)
        (tmp_path / "..new").rename(tmp_path / "..data")

    publish("..1")
    watch = watch_files(reactor, [str(path)], real.changed)
    watch.start()
    await real.reaches(1)
    for number in (2, 3, 4):
        publish(f"..{number}")
        shutil.rmtree(tmp_path / f"..{number - 1}")
        await real.reaches(number)
    watch.stop()


def test_what_cannot_be_watched_has_no_alarm(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert inotify_alarm(reactor, [str(tmp_path / "absent")], lambda: None) is None
    assert len(os.listdir("/proc/self/fd")) == before
