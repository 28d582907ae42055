# SPDX-License-Identifier: LGPL-2.1-or-later
"""Telling the service manager."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from virtproxy.daemon.notify import Notifier, notify, watchdog_seconds


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_that_listens_is_told(place: Path, abstract: bool) -> None:
    name = f"\0vp{os.getpid()}" if abstract else str(place / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        assert notify({"NOTIFY_SOCKET": name.replace("\0", "@")}, "READY=1") is True
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "vsock:2:1", "/nonexistent/socket"])
def test_without_one_nothing_happens(address: str) -> None:
    assert notify({"NOTIFY_SOCKET": address}, "READY=1") is False
    assert notify({}, "READY=1") is False


@pytest.fixture
def manager(place: Path) -> Iterator[socket.socket]:
    """A service manager that listens at ``place``/n."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place / "n"))
        manager.setblocking(False)
        yield manager


def heard(manager: socket.socket) -> list[list[str]]:
    """The messages so far, as lines."""
    found = []
    while True:
        try:
            found.append(manager.recv(1000).decode().split("\n"))
        except BlockingIOError:
            return found


def test_a_life_is_told(place: Path, manager: socket.socket) -> None:
    count = 0
    notifier = Notifier({"NOTIFY_SOCKET": str(place / "n")}, Clock(), lambda: f"{count} clients")
    notifier.ready()
    count = 2
    before = time.monotonic()
    with notifier.reload():
        ready, (reloading, usec, status) = heard(manager)
        assert ready == ["READY=1", "STATUS=0 clients"]
        with notifier.reload():
            assert len(heard(manager)) == 1
    assert (reloading, status) == ("RELOADING=1", "STATUS=Reloading")
    assert before - 1 < int(usec.removeprefix("MONOTONIC_USEC=")) / 1e6 < time.monotonic() + 1
    assert heard(manager) == [["READY=1", "STATUS=2 clients"]]
    with notifier.reload():
        notifier.stopping()
    assert [lines[0] for lines in heard(manager)] == ["RELOADING=1", "STOPPING=1"]


def test_a_failed_reload_ends_too(place: Path, manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(place / "n")}, Clock(), lambda: "")
    with pytest.raises(RuntimeError), notifier.reload():
        raise RuntimeError
    assert [lines[0] for lines in heard(manager)] == ["RELOADING=1", "READY=1"]


def test_the_watchdog_is_fed_twice_as_often_as_it_must_be(place: Path, manager: socket.socket) -> None:
    clock = Clock()
    environ = {"NOTIFY_SOCKET": str(place / "n"), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = Notifier(environ, clock, lambda: "fine")
    notifier.ready()
    clock.pump([1.5] * 2)
    assert heard(manager) == [["READY=1", "STATUS=fine"], *[["WATCHDOG=1", "STATUS=fine"]] * 3]
    notifier.stopping(17)
    clock.advance(10)
    assert heard(manager) == [["STOPPING=1", "EXTEND_TIMEOUT_USEC=27000000", "STATUS=Ending"]]
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "60000000"}, 30),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "7"}, 30),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "-5"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
    ],
)
def test_whether_there_is_a_watchdog(environ: dict[str, str], seconds: float) -> None:
    assert watchdog_seconds(environ, 7) == seconds
