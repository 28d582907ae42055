# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons are restarted again and again under many clients.

The driver's daemon behind the proxy: clients keep connection, events and ids. The proxy itself, where systemd listens:
every call is answered or refused, and who connects waits for the next one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.labs import TESTS, furnished, script
from tests.conformance.test_backend_lost import wait_for_lines
from tests.support.lab import BACKEND_SOCKETS, SYSTEM_SOCKETS, Daemon, Lab, first_child, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS = 200
RESTARTS = 10


ENV = {"PYTHONPATH": str(TESTS.parent), "PYTHONDONTWRITEBYTECODE": "1"}


def many_listeners(lab: Lab, *words: str) -> Daemon:
    """The clients of our own library, in the lab."""
    program = (sys.executable, "-m", "tests.conformance.many_listeners", "qemu:///system", str(CLIENTS))
    return lab.spawn("many", *program, *words, env=ENV)


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
        many = many_listeners(lab)
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


def activated(lab: Lab) -> Daemon:
    """virtproxyd behind a program that listens for it and starts it for each client that finds it gone."""
    backend = BACKEND_SOCKETS / "libvirt-sock"
    config = lab.write(
        "virtproxyd.conf", f'auth_unix_rw = "none"\nbackend_sockets = [ "qemu={backend}" ]\nlog_level = 2\n'
    )
    lab.run("mkdir", "-p", SYSTEM_SOCKETS)
    command = (str(Path(sys.executable).parent / "virtproxyd"), "-f", str(config), "-p", "/run/virtproxyd.pid")
    path = SYSTEM_SOCKETS / "libvirt-sock"
    manager = lab.spawn("manager", sys.executable, "-m", "tests.support.activator", str(path), *command, env=ENV)
    lab.wait_for_socket(manager, path)
    return manager


def test_two_hundred_clients_live_through_ten_ends_of_the_proxy() -> None:
    with furnished() as lab:
        backend = lab.libvirtd(BACKEND_SOCKETS)
        manager = activated(lab)
        many = many_listeners(lab, "again")
        assert report_of(lab, many, 0)["deaf"] == 0
        for number in range(1, RESTARTS + 1):
            proxy = first_child(manager.pid)
            assert proxy is not None
            if number % 2:
                # Everybody has a call on its way, and it is finished.
                with backend.stopped():
                    time.sleep(0.6)
                    os.kill(proxy, signal.SIGTERM)
                    time.sleep(0.5)
            else:
                os.kill(proxy, signal.SIGTERM)
            wait_until(lambda number=number: f"ended {number}: 0" in manager.log_text(), manager.log_text(), 20)  # type: ignore[misc]
            report = report_of(lab, many, number)
            print(json.dumps(report))
            assert (report["deaf"], report["closings"]) == (0, 0)
            assert set(report["ended"]) <= {"answered", "refused", "cut off", "opening refused"}
        lab.write("end", "")
        wait_until(lambda: bool(reports(many)[-1].get("end")), "the end")
        last = reports(many)[-1]
        print(json.dumps(last))
        assert sum(last["ended"].values()) == last["calls"]
        for process in (manager, many):
            assert "Traceback" not in process.log_text()
        # Calls that reached the daemon had their answer, but for those of the very moment; the others ("cut off") were
        # made when the connection had ended, which the library says of them.
        assert "cut off: they were not answered" not in manager.log_text()
        crossed = re.findall(r"(\d+) clients were closed while they still asked", manager.log_text())
        assert sum(map(int, crossed)) <= CLIENTS * RESTARTS / 100
