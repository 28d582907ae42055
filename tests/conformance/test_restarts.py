# SPDX-License-Identifier: LGPL-2.1-or-later
"""The driver's daemon is restarted again and again behind the proxy: many clients keep connection, events and ids."""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

import pytest

from tests.conformance.labs import TESTS, furnished, script
from tests.conformance.test_backend_lost import wait_for_lines
from tests.support.lab import BACKEND_SOCKETS, Daemon, Lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(180)]

CLIENTS = 200
RESTARTS = 10


def many_listeners(lab: Lab, uri: str, count: int) -> Daemon:
    """The clients of our own library, in the lab."""
    env = {"PYTHONPATH": str(TESTS.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    return lab.spawn("many", sys.executable, "-m", "tests.conformance.many_listeners", uri, str(count), env=env)


def reports(many: Daemon) -> list[dict[str, Any]]:
    """What the clients have said so far, a round each."""
    return [json.loads(line) for line in many.log_text().splitlines() if line.startswith("{")]


def report_of(lab: Lab, many: Daemon, number: int) -> dict[str, Any]:
    """Have a round played and return how it went."""
    lab.write(f"round-{number}", "")

    def played() -> bool:
        assert many.alive(), many.log_text()
        return len(reports(many)) > number

    wait_until(played, f"round {number} in\n{many.log_text()}", 60)
    return reports(many)[number]


def wait_for_guest(client: Daemon, name: str) -> None:
    """Until the client has told of that guest twice."""
    wait_until(lambda: client.log_text().count(name) >= 2, f"{name} in\n{client.log_text()}", 20)


def test_two_hundred_clients_live_through_ten_restarts() -> None:
    with furnished() as lab:
        backend, proxy = lab.proxied(log_level="2")
        many = many_listeners(lab, "qemu:///system", CLIENTS)
        argv, env = script("listener", "qemu:///system")
        python = lab.spawn("python", *argv, env=env)
        virsh = lab.spawn("virsh", "stdbuf", "-oL", "virsh", "event", "--event", "lifecycle", "--loop")
        wait_for_lines(python, "listening")
        assert report_of(lab, many, 0)["deaf"] == 0
        for number in range(1, RESTARTS + 1):
            backend.kill(signal.SIGKILL if number % 2 else signal.SIGTERM)
            backend = lab.libvirtd(BACKEND_SOCKETS)
            report = report_of(lab, many, number)
            print(json.dumps(report))
            # Nobody was cut off or told that the connection ended, nobody missed an event or got a foreign id.
            assert (report["closed"], report["closings"], report["deaf"]) == (0, 0, 0)
            assert (report["ids_each"], report["ids"]) == ([1], CLIENTS)
            assert set(report["ended"]) <= {"answered", "refused"}
            # A call at most of each client is on its way.
            assert 0 <= report["owed"] <= CLIENTS
            wait_for_guest(python, f"'guest{number}'")
            wait_for_guest(virsh, f"'guest{number}'")
        lab.write("end", "")
        assert wait_for_lines(python, "alive") == ["1"]
        wait_until(lambda: bool(reports(many)[-1].get("end")), "the end")
        last = reports(many)[-1]
        assert sum(last["ended"].values()) == last["calls"]
        assert "closed" not in python.log_text()
        assert virsh.alive(), virsh.log_text()
        for process in (proxy, many, python):
            assert "Traceback" not in process.log_text()
