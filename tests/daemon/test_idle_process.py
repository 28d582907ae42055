# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that come at the very moment when a real daemon ends: each is answered, by this daemon or the next."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.daemon_process import ROOT, configuration
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


def ask(path: Path) -> None:
    """Connect, starting the daemon if it is not there, and have one call answered."""
    with connect(str(path), str(path.parent / "virtproxyd")) as client:
        client.settimeout(10)
        client.sendall(CALL)
        answer = client.recv(1000)
    assert len(answer) > 28, answer


class Visitor(threading.Thread):
    """Comes back about when the daemon, idle since the last visit, ends."""

    def __init__(self, path: Path, together: threading.Barrier, number: int) -> None:
        super().__init__()
        self._path = path
        self._together = together
        self._own_delay = number / 1000
        self.problems: list[Exception] = []

    def run(self) -> None:
        """Visit the daemon ROUNDS times."""
        chance = random.Random(0)  # the same for all: they come together
        for _ in range(ROUNDS):
            try:
                ask(self._path)
            except Exception as problem:
                self.problems.append(problem)
            self._together.wait()
            time.sleep(TIMEOUT + chance.uniform(-0.006, 0.003) + self._own_delay)


@pytest.mark.slow
def test_no_call_is_lost_when_it_ends_and_starts_again(place: Path) -> None:
    configuration(place)
    program = place / "virtproxyd"
    program.write_text(PROGRAM.format(place=place, root=ROOT, python=sys.executable, timeout=TIMEOUT))
    program.chmod(0o755)
    together = threading.Barrier(CLIENTS)
    visitors = [Visitor(place / "libvirt-sock", together, number) for number in range(CLIENTS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    deadline = time.monotonic() + 10
    while (place / "d.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert [problem for visitor in visitors for problem in visitor.problems] == []
    assert (place / "starts").read_text().count("x") > 1
    assert "Traceback" not in (place / "log").read_text()
    left = {"d.conf", "log", "starts", "virtproxyd", "virtproxyd.lock"}
    assert set(os.listdir(place)) == left
