# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon's policy: checked at the start, taken over when its file changes, kept when that is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.daemon.test_plan import plan
from virtproxy.access.decision import Thing
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.load import load_policy
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.policy_file import PolicyFile
from virtproxy.daemon.reload import QUICK_SECONDS, SETTLE_SECONDS, FileWatch
from virtproxy.identity import Identity

VIEWER = 'grant = [{ to = "user:alice", roles = "viewer" }, { to = "user:root", roles = "admin" }]\n'
OPERATOR = VIEWER.replace("viewer", "operator")
ALICE = Identity(user_name="alice", uid=1000)
WEB = Thing("domain", "QEMU", "qemu:///system", "web1")


class Place:
    """A policy's file, its keeper with a pretended clock, and how often the sessions were refreshed."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "policy.toml"
        self.write(VIEWER)
        self.decider = PolicyDecider(load_policy(str(self.path)))
        self.clock = Clock()
        self.changes = 0
        self.keeper = PolicyFile(self.decider, self._at_once, self._watch, self._changed)
        self.keeper.start()
        self.look()

    def _watch(self, paths: list[str], changed: Callable[[], Coroutine[Any, Any, None]]) -> FileWatch:
        return FileWatch(self.clock, paths, changed, self._at_once, lambda paths, wake: None)

    def look(self) -> None:
        """Let the watch see what is there, and find it at rest."""
        self.clock.pump([0, QUICK_SECONDS, SETTLE_SECONDS])

    async def _at_once(self, function: Callable[[], Any]) -> Any:
        return function()

    def _changed(self) -> None:
        self.changes += 1

    def write(self, text: str) -> None:
        """Write a new file and put it in the old one's place."""
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o640)
        os.replace(new, self.path)

    @property
    def may_start(self) -> bool:
        return self.decider.decide(ALICE, "start", WEB).granted


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def said() -> Any:
    """The errors that were logged."""
    errors: list[str] = []

    @implementer(ILogObserver)
    def see(event: LogEvent) -> None:
        if "why" in event:
            errors.append(str(event["why"]))

    globalLogPublisher.addObserver(see)
    yield errors
    globalLogPublisher.removeObserver(see)


def test_a_changed_file_comes_into_force(place: Place) -> None:
    assert (place.may_start, place.changes) == (False, 0)
    place.write(OPERATOR)
    place.look()
    assert (place.may_start, place.changes) == (True, 1)
    place.write(VIEWER)
    place.look()
    assert (place.may_start, place.changes) == (False, 2)


def test_a_wrong_file_is_refused_once_and_the_old_one_stays(place: Place, said: list[str]) -> None:
    place.write(OPERATOR.replace("operator", "operater"))
    for _ in range(3):
        place.look()
    assert (place.may_start, place.changes) == (False, 0)
    assert said == [f'{place.path}:1: there is no role "operater"; did you mean operator?']
    place.write(OPERATOR)
    place.look()
    assert place.may_start


def test_a_file_that_is_gone_or_open_to_others_changes_nothing(place: Place, said: list[str]) -> None:
    place.path.write_text(OPERATOR)
    place.path.chmod(0o666)
    place.look()
    assert "can be written by others" in said[-1]
    place.path.unlink()
    place.look()
    assert "cannot be read" in said[-1]
    assert (place.may_start, place.changes) == (False, 0)


def test_nothing_happens_when_only_the_time_of_the_file_changes(place: Place) -> None:
    os.utime(place.path, (1, 1))
    place.look()
    assert place.changes == 0


def test_it_stops(place: Place) -> None:
    place.keeper.stop()
    assert not place.clock.getDelayedCalls()


def test_a_daemon_starts_with_a_good_policy_only(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(f'mode = "report"\n{VIEWER}')
    policy.chmod(0o644)
    found = plan(tmp_path, f'policy_file = "{policy}"\n')
    assert found.policy is not None
    assert found.policy.reporting
    assert found.warnings == (f"{policy}: mode is report: nothing is refused, what would be is logged",)
    policy.write_text("grants = 1\n")
    with pytest.raises(StartupError) as refused:
        plan(tmp_path, f'policy_file = "{policy}"\n')
    assert f"d.conf:1: the policy cannot be used: {policy}:1: there is no key" in str(refused.value)
    with pytest.raises(StartupError, match="absolute"):
        plan(tmp_path, 'policy_file = "policy.toml"\n')
    assert plan(tmp_path, "").policy is None
