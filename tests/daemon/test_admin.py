# SPDX-License-Identifier: LGPL-2.1-or-later
"""The administration socket of a whole daemon: who may use it, and that what is set there takes effect at once."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.raw import RawClient, raw_client
from virtproxy.protocol import admin
from virtproxy.protocol.common import TypedParam, TypedParameterType, TypedParamValue
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.frame import ERROR

OPEN = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n'
NAME = admin.NonnullServer(name="virtproxyd")
ADMIN = admin.NonnullServer(name="admin")
Come = Callable[[], "Administrator"]


@pytest.fixture
def daemon(place: Path) -> DaemonProcess:
    return started(place)


def started(place: Path, text: str = "") -> DaemonProcess:
    daemon = DaemonProcess(place, ["-f", str(configuration(place, OPEN + text)), "-p", str(place / "d.pid"), "-v"])
    daemon.wait_for("is ready")
    return daemon


class Administrator(RawClient):
    """Calls procedures of the admin program."""

    def ask(self, procedure: Procedure[Any, Any], args: Any = None) -> Any:
        """The result; AssertionError with the daemon's error."""
        frame = self.call(procedure.call_frame(7, args))
        assert frame.status != ERROR, decode_error(frame).message
        return procedure.decode_ret(frame)

    def error(self, procedure: Procedure[Any, Any], args: Any) -> str | None:
        """The daemon's error."""
        return decode_error(self.call(procedure.call_frame(7, args))).message

    def clients(self, server: admin.NonnullServer = NAME) -> list[admin.NonnullClient]:
        """Who is connected."""
        args = admin.ServerListClientsArgs(srv=server, need_results=1, flags=0)
        found: list[admin.NonnullClient] = self.ask(admin.SERVER_LIST_CLIENTS, args).clients
        return found

    def limit(self, **limits: int) -> None:
        """Set limits on the clients of the main server."""
        uint = TypedParameterType.UINT
        params = [TypedParam(field=name, value=TypedParamValue(type=uint, value=n)) for name, n in limits.items()]
        self.ask(admin.SERVER_SET_CLIENT_LIMITS, admin.ServerSetClientLimitsArgs(srv=NAME, params=params, flags=0))


@pytest.fixture
def come(place: Path) -> Iterator[Come]:
    """Makes administrators, who are gone at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(contextlib.closing(Administrator(place / "libvirt-admin-sock")))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_socket_is_the_owners_and_goes_with_the_daemon(place: Path, daemon: DaemonProcess, come: Come) -> None:
    assert stat.S_IMODE(os.stat(place / "libvirt-admin-sock").st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(place / "libvirt-admin-sock"))
        until(lambda: len(come().clients(ADMIN)) >= 2)
        assert daemon.stop() == 0
        assert silent.recv(1) == b""
    assert not (place / "libvirt-admin-sock").exists()


@pytest.mark.root
def test_nobody_else_is_served_whatever_the_mode_of_the_socket_is(place: Path, come: Come) -> None:
    daemon = started(place, 'unix_sock_admin_perms = "0777"\n')
    place.chmod(0o755)
    program = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1))"
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", program]
    said = subprocess.run([*other, str(place / "libvirt-admin-sock")], capture_output=True, text=True, timeout=20)
    assert said.stdout == "b''\n", said.stderr
    daemon.wait_for("an administrator is refused: only the user of the daemon may be one; it is uid 65534")
    (only,) = come().clients(ADMIN)
    assert only.transport == 0


def test_a_client_is_shown_and_disconnected(place: Path, daemon: DaemonProcess, come: Come) -> None:
    boss = come()
    with raw_client(place / "libvirt-sock-ro") as client:
        client.open()
        (found,) = boss.clients()
        assert abs(found.timestamp - time.time()) < 60
        info = boss.ask(admin.CLIENT_GET_INFO, admin.ClientGetInfoArgs(clnt=found, flags=0))
        known = {param.field: param.value.value for param in info.params}
        assert known["unix_process_id"] == os.getpid() and known["readonly"] == 1
        boss.ask(admin.CLIENT_CLOSE, admin.ClientCloseArgs(clnt=found, flags=0))
        assert client.receive() is None
        until(lambda: boss.clients() == [])
        gone = boss.error(admin.CLIENT_CLOSE, admin.ClientCloseArgs(clnt=found, flags=0))
        assert gone == f"Client not found: No client with matching ID '{found.id}'"


def test_limits_act_on_the_daemon_that_runs(place: Path, daemon: DaemonProcess, come: Come) -> None:
    boss = come()
    with raw_client(place / "libvirt-sock") as first:
        first.open()
        boss.limit(nclients_unauth_max=1, nclients_max=1)
        # Where the others are full an administrator still comes in.
        assert len(come().clients()) == 1
        with raw_client(place / "libvirt-sock") as second:
            second.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.open()
            assert len(boss.clients()) == 1
            boss.limit(nclients_max=2)
            second.sock.settimeout(10)
            assert second.receive() is not None
            assert len(boss.clients()) == 2


def test_an_idle_daemon_ends_when_it_is_told_to(place: Path, daemon: DaemonProcess, come: Come) -> None:
    boss = come()
    boss.ask(admin.CONNECT_SET_DAEMON_TIMEOUT, admin.ConnectSetDaemonTimeoutArgs(timeout=1, flags=0))
    # An administrator is somebody too.
    time.sleep(1.3)
    assert daemon.process.poll() is None
    boss.ask(admin.CONNECT_CLOSE)
    assert boss.receive() is None
    assert daemon.process.wait(10) == 0
    assert not (place / "libvirt-admin-sock").exists()
    daemon.running.remove(daemon)


def test_the_daemon_ends_when_it_is_told_to(place: Path, daemon: DaemonProcess, come: Come) -> None:
    boss = come()
    boss.ask(admin.CONNECT_DAEMON_SHUTDOWN, admin.ConnectDaemonShutdownArgs(flags=1))
    assert daemon.process.wait(10) == 0
    assert "Traceback" not in daemon.said()
    daemon.running.remove(daemon)


def test_what_was_changed_is_in_the_log(place: Path, daemon: DaemonProcess, come: Come) -> None:
    come().limit(nclients_max=77)
    daemon.wait_for("an administrator asked: the server virtproxyd now takes 77 clients, 20 of them")


def test_the_log_is_changed_while_the_daemon_runs(place: Path, daemon: DaemonProcess, come: Come) -> None:
    boss = come()
    outputs = f"1:file:{place}/new.log"
    boss.ask(admin.CONNECT_SET_LOGGING_OUTPUTS, admin.ConnectSetLoggingOutputsArgs(outputs=outputs, flags=0))
    boss.ask(admin.CONNECT_SET_LOGGING_FILTERS, admin.ConnectSetLoggingFiltersArgs(filters="1:daemon.service", flags=0))
    with raw_client(place / "libvirt-sock") as client:
        client.open()
        until(lambda: "connected: uid" in (place / "new.log").read_text())
    found = boss.ask(admin.CONNECT_GET_LOGGING_OUTPUTS, admin.ConnectGetLoggingOutputsArgs(flags=0))
    assert (found.outputs, found.noutputs) == (outputs, 1)


def test_a_users_daemon_has_the_socket_too(place: Path) -> None:
    (place / "run").mkdir(mode=0o700)
    command = [sys.executable, "-m", "virtproxy.cli.daemons", "virtproxyd"]
    daemon = DaemonProcess(place, ["-v"], ["unshare", "--user", *command] if os.geteuid() == 0 else command)
    daemon.wait_for("is ready")
    assert stat.S_IMODE(os.stat(place / "run/libvirt/libvirt-admin-sock").st_mode) == 0o700
    assert daemon.stop() == 0
