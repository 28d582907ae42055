# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon of a driver that a package brings, with real processes: its life is the driver's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.brought import bring
from tests.support.daemon_process import ROOT, STARTING, TWISTD, DaemonProcess, configuration, environment
from tests.support.lab import wait_until

NAME = "virtfaked"
PROGRAM = (sys.executable, "-W", "error", "-m", "virtproxy.cli.daemons", NAME)
PLUGIN = f'from virtproxy.daemon.twistd import DaemonMaker\n\nfake = DaemonMaker("{NAME}")\n'


@pytest.fixture
def site(place: Path) -> Path:
    """A directory with the package, and with twistd's plugin for its daemon."""
    found = bring(place / "site", {"fake": "fake_driver:FakeDriver"})
    (found / "twisted/plugins").mkdir(parents=True)
    (found / "twisted/plugins/virtfaked_plugin.py").write_text(PLUGIN)
    return found


def environ(place: Path) -> dict[str, str]:
    return environment(place, PYTHONPATH=f"{place}/site:{ROOT}")


def arguments(place: Path) -> list[str]:
    return ["-v", "-f", str(configuration(place)), "-p", str(place / "d.pid")]


def started(place: Path, *more: str) -> DaemonProcess:
    daemon = DaemonProcess(place, [*arguments(place), *more], PROGRAM, environ(place))
    daemon.wait_for("is ready")
    return daemon


def said(place: Path) -> list[str]:
    path = place / "site/said"
    return path.read_text().splitlines() if path.exists() else []


def left(place: Path) -> set[str]:
    return set(os.listdir(place)) - {"d.conf", "output", "site", ".cache"}


@pytest.mark.programs("virsh")
def test_it_is_started_served_reloaded_and_stopped(place: Path, site: Path) -> None:
    daemon = started(place)
    assert sorted(left(place)) == ["d.pid", *(f"{NAME}{each}" for each in ("-admin-sock", "-sock", "-sock-ro"))]
    mode = "system" if os.geteuid() == 0 else "session"
    command = ["virsh", "-c", f"fake+unix:///{mode}?socket={place}/{NAME}-sock", "hostname"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=15).stdout == "a fake\n\n"
    if mode == "system":
        assert said(place) == ["start system /etc/libvirt /var/lib/libvirt"]
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for(f"{NAME} has reloaded")
    assert said(place)[1:] == ["reload"]
    assert daemon.stop() == 0
    assert said(place)[1:] == ["reload", "stop"]
    assert left(place) == set()
    assert "Traceback" not in daemon.said()


def test_it_does_not_end_while_the_driver_is_busy(place: Path, site: Path) -> None:
    (site / "busy").touch()
    daemon = started(place, "-t", "1")
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(1.6)
    (site / "busy").unlink()
    assert daemon.process.wait(STARTING) == 0
    assert said(place)[1:] == ["stop"]


SENTENCES = {
    "refuses": "the driver fake cannot start: internal error: the disk is full",
    "breaks": "the driver fake cannot start: KeyError: 'oops'",
}


@pytest.mark.parametrize("wish", SENTENCES)
@pytest.mark.parametrize("more", [[], ["-d"]], ids=["here", "background"])
def test_a_driver_that_does_not_start_ends_the_daemon(place: Path, site: Path, wish: str, more: list[str]) -> None:
    (site / wish).touch()
    command = [*PROGRAM, *arguments(place)[1:], *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environ(place), cwd=place)
    assert done.returncode == 11
    assert done.stderr.splitlines()[-1] == f"{NAME}: {SENTENCES[wish]}"
    wait_until(lambda: left(place) <= {"log", "run"}, "the files of the daemon to be gone")


def twistd(place: Path) -> DaemonProcess:
    command = [*TWISTD, f"--pidfile={place}/twistd.pid", "-n", NAME]
    return DaemonProcess(place, arguments(place), command, environ(place))


def test_under_twistd(place: Path, site: Path) -> None:
    daemon = twistd(place)
    daemon.wait_for("is ready")
    assert daemon.stop() == -signal.SIGTERM
    assert said(place)[1:] == ["stop"]
    assert left(place) == set()


def test_under_twistd_it_ends_with_the_same_sentence(place: Path, site: Path) -> None:
    (site / "refuses").touch()
    daemon = twistd(place)
    daemon.wait_for(SENTENCES["refuses"])
    assert daemon.process.wait(STARTING) == 11
    assert left(place) == set()
    assert "Traceback" not in daemon.said()


def test_a_daemon_that_nobody_brings(place: Path) -> None:
    command = [sys.executable, "-c", f"import sys; from virtproxy.daemon.run import main; sys.exit(main('{NAME}', []))"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment(place))
    said = f"{NAME}: no installed package brings a driver for it (virtproxy.drivers)\n"
    assert (done.returncode, done.stderr) == (11, said)
