# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a driver lives, and the life that the daemon leads it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.support.toy import ToyDriver, result_of
from virtproxy.driver import ErrorCode, Peer, Place, VirtError, remote
from virtproxy.driver.backend import LocalBackend
from virtproxy.driver.harness import DriverHarness
from virtproxy.identity import Identity


class SlowDriver(ToyDriver):
    """Starts when `gate` fires."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] = Deferred()
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1
        await self.gate


def test_a_place_for_a_test_is_below_its_directory(tmp_path: Path) -> None:
    place = Place.under(tmp_path, privileged=True)
    assert (place.config, place.run, place.privileged) == (str(tmp_path / "config"), str(tmp_path / "run"), True)
    with pytest.raises(RuntimeError):
        _ = place.clock


def test_without_a_reactor_work_is_done_at_once(tmp_path: Path) -> None:
    assert result_of(Place.under(tmp_path).blocking(pow, 2, 3)) == 8


@ensureDeferred
async def test_blocking_work_is_done_in_a_thread(tmp_path: Path) -> None:
    place = Place.under(tmp_path, reactor=reactor)
    assert await place.blocking(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await place.blocking(lambda: 1 // 0)


def test_another_driver_is_asked_over_the_place(tmp_path: Path) -> None:
    async def asker(scheme: str) -> Peer:
        assert scheme == "toy"
        return DriverHarness(ToyDriver())

    async def ask(place: Place) -> str:
        peer = await place.ask("toy")
        answer = await peer.call(remote.CONNECT_GET_HOSTNAME, None)
        peer.close()
        return answer.hostname

    assert result_of(ask(Place.under(tmp_path, asker=asker))) == "toyhost"
    with pytest.raises(VirtError) as caught:
        result_of(ask(Place.under(tmp_path)))
    assert caught.value.code == ErrorCode.NO_CONNECT


def test_a_driver_is_started_once_whoever_asks() -> None:
    driver = SlowDriver()
    waiting = [Deferred.fromCoroutine(driver.ready()) for _ in range(3)]
    assert not any(one.called for one in waiting)
    driver.gate.callback(None)
    assert all(one.called for one in waiting)
    result_of(driver.ready())
    assert driver.starts == 1


def test_a_driver_that_cannot_start_tells_everybody_and_may_try_again() -> None:
    driver = SlowDriver()
    errors: list[Any] = []
    for _ in range(2):
        Deferred.fromCoroutine(driver.ready()).addErrback(errors.append)
    driver.gate.errback(VirtError.of(ErrorCode.INTERNAL_ERROR, "no disk"))
    assert [failure.value.message for failure in errors] == ["internal error: no disk"] * 2
    driver.gate = Deferred()
    driver.gate.callback(None)
    result_of(driver.ready())
    assert driver.starts == 2


def test_a_call_before_the_driver_is_opened_waits_for_its_start() -> None:
    driver = SlowDriver()
    harness = DriverHarness(ToyDriver())
    harness.backend = LocalBackend(driver, harness, Identity(uid=1), uri="toy:///system")
    answer = Deferred.fromCoroutine(harness.call(remote.CONNECT_GET_HOSTNAME, None))
    assert not answer.called
    driver.gate.callback(None)
    assert answer.called and len(driver.subscribers) == 1


def test_a_driver_is_not_busy_by_itself() -> None:
    driver = ToyDriver()
    assert driver.busy() == 0
    for work in (driver.stop(), driver.reload()):
        result_of(work)


class FilingDriver(ToyDriver):
    """Keeps files."""

    run_directory = "toys"

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place


def test_a_driver_that_keeps_files_is_started_once_a_host(tmp_path: Path) -> None:
    place = Place.under(tmp_path)
    first, second = FilingDriver(place), FilingDriver(place)
    result_of(first.ready())
    assert (tmp_path / "run" / "toys" / "driver.pid").exists()
    with pytest.raises(VirtError, match="another daemon"):
        result_of(second.ready())
