# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that come at the very moment when a real daemon ends: each is answered, by this daemon or the next."""

from __future__ import annotations

import os
import random
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon_process import ROOT, configuration, environment
from virtproxy.protocol import remote
from virtproxy.rpc.session_daemon import connect

CLIENTS, ROUNDS, TIMEOUT = 6, 8, 1
CALL = remote.AUTH_LIST.call_frame(1, None).raw
PROGRAM = """#!/bin/sh
echo x >> {place}/starts
export PYTHONPATH={root}
exec {python} -m virtproxy.cli.daemons virtproxyd -v -f {place}/d.conf -p {place}/d.pid "$@" --timeout={timeout} \\
  2>> {place}/log
"""


def ask(client: socket.socket) -> None:
    """Have one call answered."""
    client.settimeout(10)
    client.sendall(CALL)
    answer = client.recv(1000)
    assert len(answer) > 28, answer


def starting_it(path: Path) -> None:
    """Connect, starting the daemon if it is not there."""
    with connect(str(path), str(path.parent / "virtproxyd")) as client:
        ask(client)


def starting_nothing(path: Path) -> None:
    """Connect to a socket that is always there."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        ask(client)


class Visitor(threading.Thread):
    """Comes back about when the daemon, idle since the last visit, ends."""

    def __init__(self, visit: Callable[[], None], together: threading.Barrier, number: int) -> None:
        super().__init__()
        self._visit = visit
        self._together = together
        self._own_delay = number / 1000
        self.problems: list[Exception] = []

    def run(self) -> None:
        """Visit the daemon ROUNDS times."""
        chance = random.Random(0)  # the same for all: they come together
        for _ in range(ROUNDS):
            try:
                self._visit()
            except Exception as problem:
                self.problems.append(problem)
            self._together.wait()
            time.sleep(TIMEOUT + chance.uniform(-0.006, 0.003) + self._own_delay)


def hammer(visit: Callable[[], None]) -> None:
    """Let all visitors come, and AssertionError if one was not answered."""
    together = threading.Barrier(CLIENTS)
    visitors = [Visitor(visit, together, number) for number in range(CLIENTS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert [problem for visitor in visitors for problem in visitor.problems] == []


def wait_until_gone(file: Path) -> None:
    """Wait until nobody holds the pid file."""
    deadline = time.monotonic() + 10
    while file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_no_call_is_lost_when_it_ends_and_starts_again(place: Path) -> None:
    configuration(place)
    program = place / "virtproxyd"
    program.write_text(PROGRAM.format(place=place, root=ROOT, python=sys.executable, timeout=TIMEOUT))
    program.chmod(0o755)
    hammer(lambda: starting_it(place / "libvirt-sock"))
    wait_until_gone(place / "d.pid")
    assert (place / "starts").read_text().count("x") > 1
    assert "Traceback" not in (place / "log").read_text()
    left = {"d.conf", "log", "starts", "virtproxyd", "virtproxyd.lock"}
    assert set(os.listdir(place)) == left


class ServiceManager(threading.Thread):
    """Holds a listening socket, and runs the daemon while somebody waits there: what systemd does."""

    SCRIPT = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='virtproxyd.socket');"
        "from virtproxy.daemon.run import main; sys.exit(main('virtproxyd', sys.argv[2:]))"
    )

    def __init__(self, place: Path) -> None:
        super().__init__()
        self._arguments = ["-f", str(configuration(place)), "-p", str(place / "d.pid"), f"--timeout={TIMEOUT}"]
        self._environ = environment(place)
        self.socket = socket.create_server(str(place / "sock"), family=socket.AF_UNIX)
        self.done = threading.Event()
        self.codes: list[int] = []

    def run(self) -> None:
        """Start the daemon again and again, until nobody waits and ``done`` is set."""
        number = self.socket.fileno()
        while not self.done.is_set():
            if select.select([self.socket], [], [], 0.05)[0]:
                command = [sys.executable, "-c", self.SCRIPT, str(number), *self._arguments]
                self.codes.append(subprocess.call(command, pass_fds=[number], env=self._environ))
        self.socket.close()


@pytest.mark.slow
def test_who_waits_in_a_socket_of_systemd_is_served_by_the_next_one(place: Path) -> None:
    manager = ServiceManager(place)
    manager.start()
    try:
        hammer(lambda: starting_nothing(place / "sock"))
    finally:
        manager.done.set()
        manager.join()
    assert len(manager.codes) > 1
    assert set(manager.codes) == {0}
