# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who holds the pid file is waited for while it ends, and not while it serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon_process import COMMAND, DaemonProcess
from virtproxy.daemon import predecessor
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.options import options_for
from virtproxy.daemon.plan import Plan, make_plan
from virtproxy.daemon.predecessor import wait_for_predecessor

NOBODY = ("unshare", "--user") if os.geteuid() == 0 else ()
HOLDER = """
import sys, time
from virtproxy.daemon.pidfile import PidFile
PidFile(sys.argv[1]).acquire()
print(flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(pid_file: Path, seconds: float) -> subprocess.Popen[str]:
    """A process that holds the pid file for a while; it does from now on."""
    pid_file.parent.mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(pid_file), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "\n"
    return holder


def plan(place: Path, uid: int) -> Plan:
    options = options_for(ROWS["virtproxyd"])()
    parse: Callable[[list[str]], None] = options.parseOptions
    parse(["-p", str(place / "d.pid")])
    return make_plan(options, {"HOME": str(place), "XDG_RUNTIME_DIR": str(place)}, uid)


def waited(place: Path, uid: int = 1000) -> float:
    found = plan(place, uid)
    began = time.monotonic()
    wait_for_predecessor(found)
    return time.monotonic() - began


@pytest.mark.programs("unshare")
def test_it_starts_when_the_other_is_gone(place: Path) -> None:
    with hold(place / "run/libvirt/virtproxyd.pid", 1.0) as holder:
        daemon = DaemonProcess(place, ["-v"], (*NOBODY, *COMMAND))
        daemon.wait_for("is ready")
        assert holder.wait(5) == 0
    assert daemon.stop() == 0


def test_how_long_it_waits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predecessor, "WAIT_SECONDS", 1.0)
    assert waited(place) < 0.8
    with hold(place / "d.pid", 60) as holder:
        assert 1 <= waited(place) < 5
        assert waited(place, uid=0) < 0.8  # a service manager waits for the system's
        (place / "libvirt").mkdir()
        with socket.create_server(str(place / "libvirt/libvirt-sock"), family=socket.AF_UNIX):
            assert waited(place) < 0.8  # it serves
        holder.kill()
