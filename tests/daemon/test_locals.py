# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers of one process: their life, and what becomes of a mistake of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.conftest import FlushErrors
from tests.support.toy import ToyDriver, result_of
from virtproxy.daemon import locals as local_module
from virtproxy.daemon.catalogue import ROWS, row_of_another
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.locals import STOP_SECONDS, LocalDrivers, families_of, local_drivers
from virtproxy.drivers.test import TestDriver
from virtproxy.errors import VirtError, internal
from virtproxy.protocol.schema import Family

ROW = row_of_another("toy")
Use = Callable[[type[ToyDriver]], LocalDrivers]


class Living(ToyDriver):
    """Notes what is done with it."""

    done: list[str]

    async def start(self) -> None:
        type(self).done.append("start")

    async def stop(self) -> None:
        type(self).done.append("stop")

    async def reload(self) -> None:
        type(self).done.append("reload")

    def busy(self) -> int:
        return 3


class Failing(ToyDriver):
    """Fails in whatever it is asked."""

    async def start(self) -> None:
        raise internal("no toys today")

    async def stop(self) -> None:
        raise KeyError("stop")

    async def reload(self) -> None:
        raise KeyError("reload")

    def busy(self) -> int:
        raise KeyError("busy")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return what makes the drivers of a daemon whose only driver is the given one."""

    def drivers(made: type[ToyDriver]) -> LocalDrivers:
        monkeypatch.setattr(local_module, "load", lambda scheme: made)
        return local_drivers(ROW)

    return drivers


def test_a_life(use: Use) -> None:
    Living.done = []
    drivers = use(Living)
    assert (drivers.busy(), Living.done) == (0, [])
    drivers.load()
    result_of(drivers.start())
    result_of(drivers.start())
    assert drivers.busy() == 3
    result_of(drivers.reload())
    result_of(drivers.stop(Clock()))
    assert Living.done == ["start", "reload", "stop"]


def test_one_that_does_not_start_says_why(use: Use) -> None:
    with pytest.raises(StartupError, match=r"^the driver toy cannot start: internal error: no toys today$") as refused:
        result_of(use(Failing).start())
    assert refused.value.exit_code == 11


def test_one_that_fails_keeps_the_daemon_and_is_logged(use: Use, flush_errors: FlushErrors) -> None:
    drivers = use(Failing)
    drivers.load()
    assert drivers.busy() == 1
    result_of(drivers.reload())
    result_of(drivers.stop(Clock()))
    assert [str(failure.value) for failure in flush_errors(KeyError)] == ["'busy'", "'reload'", "'stop'"]


def test_one_that_does_not_stop_is_not_waited_for(use: Use) -> None:
    class Staying(ToyDriver):
        async def stop(self) -> None:
            await Deferred()

    clock, stopped, drivers = Clock(), list[object](), use(Staying)
    drivers.load()
    assert drivers.patience == STOP_SECONDS
    Deferred.fromCoroutine(drivers.stop(clock)).addBoth(stopped.append)
    clock.advance(STOP_SECONDS - 1)
    assert stopped == []
    clock.advance(1)
    assert stopped == [None]


def test_one_that_cannot_be_made(use: Use) -> None:
    class Odd(ToyDriver):
        def __init__(self, place: object = None) -> None:
            raise TypeError("no place")

    with pytest.raises(StartupError, match=r"^the driver toy cannot be loaded: TypeError: no place$"):
        use(Odd).load()


def test_the_test_driver_waits_for_a_client() -> None:
    drivers = local_drivers(replace(ROWS["libvirtd"], local=("test",)))
    drivers.load()
    result_of(drivers.start())
    assert drivers["test"].driver is None
    assert drivers.families("test") == families_of(TestDriver)
    assert isinstance(drivers["test"].driver, TestDriver)


def test_families_are_those_of_the_methods() -> None:
    assert families_of(ToyDriver) == {Family.HYPERVISOR}
    assert {Family.HYPERVISOR, Family.NETWORK, Family.STORAGE} <= families_of(TestDriver)


@pytest.mark.parametrize("uri", ["toy:///session", "toy:///", "toy:///etc/passwd"])
def test_a_uri_of_another_mode_is_refused(use: Use, uri: str) -> None:
    from tests.support.toy import ToyDriver as Toy
    from virtproxy.driver.harness import DriverHarness
    from virtproxy.routing.families import Target

    drivers, harness = use(Toy), DriverHarness(Toy(), uri="toy:///system")
    path = uri.removeprefix("toy://")
    with pytest.raises(VirtError, match=f"unexpected toy URI path '{path}', try toy:///system$"):
        drivers["toy"](Target("toy", uri), 0, harness.backend.identity, harness)
    backend = drivers["toy"](Target("toy", "toy:///system?x=1"), 0, harness.backend.identity, harness)
    assert backend.name == "driver toy"
