# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that was killed leaves nothing that keeps the next one from starting; one told to end twice ends at once."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon.test_lifecycle import left, started, virsh
from tests.support.daemon_process import DaemonProcess
from tests.support.raw import RawClient
from virtproxy.protocol import remote
from virtproxy.protocol.schema import decode_error

pytestmark = pytest.mark.programs("virsh")
EVERYTHING = 'audit_file = "{place}/audit"\nmetrics_listen = "unix:{place}/metrics"\n'


@contextmanager
def stuck(place: Path, text: str = "") -> Iterator[tuple[DaemonProcess, RawClient]]:
    """A daemon, and its client with a call to a driver's daemon that never answers."""
    with socket.socket(socket.AF_UNIX) as backend:
        backend.bind(str(place / "backend"))
        backend.listen()
        daemon = started(place, f'backend_sockets = [ "qemu={place}/backend" ]\n{text}')
        client = RawClient(place / "libvirt-sock")
        client.send(remote.CONNECT_OPEN.call_frame(1, remote.ConnectOpenArgs(name="qemu:///system", flags=0)))
        backend.settimeout(10)
        with backend.accept()[0] as link:
            assert link.recv(1)
            yield daemon, client
        client.sock.close()


def refusal(client: RawClient) -> str:
    """The error that the client's call ends with."""
    frame = client.receive()
    assert frame is not None
    assert client.receive() is None
    return str(decode_error(frame).message)


def test_nothing_of_a_killed_daemon_is_in_the_way_of_the_next(place: Path) -> None:
    text = EVERYTHING.format(place=place)
    for _ in range(2):
        daemon = started(place, text)
        assert "test" in virsh(place, "list", "--name")
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
        assert {"d.pid", "libvirt-sock", "libvirt-sock-ro", "metrics"} <= set(left(place))
    daemon = started(place, text)
    assert "test" in virsh(place, "list", "--name")
    assert (place / "d.pid").read_text() == f"{daemon.pid}\n"
    assert daemon.stop() == 0
    assert left(place) == ["audit", "audit.lock"]


def test_one_killed_while_it_ends_is_not_in_the_way_either(place: Path) -> None:
    with stuck(place) as (daemon, _):
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_for("to finish 1 calls")
        daemon.stop(signal.SIGKILL)
    assert started(place).stop() == 0


def test_a_pid_file_of_a_process_that_is_somebody_else_now_is_taken_over(place: Path) -> None:
    (place / "d.pid").write_text(f"{os.getpid()}\n")
    assert started(place).stop() == 0


def test_told_twice_it_ends_at_once(place: Path) -> None:
    with stuck(place) as (daemon, client):
        os.kill(daemon.pid, signal.SIGTERM)
        daemon.wait_for("1 clients are to finish 1 calls in at most 15 s")
        time.sleep(0.5)
        assert daemon.process.poll() is None
        assert not (place / "libvirt-sock").exists()
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 3
        assert "may still take effect" in refusal(client)
    assert left(place) == ["backend"]
    assert "Traceback" not in daemon.said()


def test_calls_have_their_time_and_no_more(place: Path) -> None:
    with stuck(place, "drain_timeout = 1\n") as (daemon, client):
        began = time.monotonic()
        assert daemon.stop() == 0
        assert 0.9 < time.monotonic() - began < 6
        assert "may still take effect" in refusal(client)
        assert "1 calls are cut off" in daemon.said()
    assert left(place) == ["backend"]
