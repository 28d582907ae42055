# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that is started by its first client, with systemd's own program in the place of systemd."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import COMMAND, DaemonProcess, configuration, environment

pytestmark = pytest.mark.programs("systemd-socket-activate", "virsh", "virt-admin")

NAMES = "virtproxyd.socket:virtproxyd-ro.socket:virtproxyd.socket:virtproxyd-tcp.socket:virtproxyd-admin.socket"


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def manager(place: Path) -> Iterator[socket.socket]:
    """Where the daemon says how it is."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(place / "notify"))
        sock.settimeout(10)
        yield sock


def activated(place: Path, port: int, text: str, *arguments: str, names: str | None = NAMES) -> DaemonProcess:
    """systemd-socket-activate, which becomes the daemon when somebody connects."""
    addresses = [*(str(place / name) for name in ("first", "ro", "second")), f"127.0.0.1:{port}", str(place / "admin")]
    count = len(addresses) if names is None else names.count(":") + 1
    listen = [word for address in addresses[:count] for word in ("-l", address)]
    named = [] if names is None else [f"--fdname={names}"]
    passed = [f"-E{name}={value}" for name, value in environment(place, NOTIFY_SOCKET=str(place / "notify")).items()]
    daemon = [*COMMAND, "-v", "-f", str(configuration(place, text)), "-p", str(place / "pid"), *arguments]
    found = DaemonProcess(place, daemon, ["systemd-socket-activate", *passed, *listen, *named])
    found.wait_for(rf"Listening on \S+ as {count + 2}")
    return found


def virsh(uri: str, *words: str) -> str:
    done = subprocess.run(["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=15)
    return done.stdout + done.stderr


def test_the_first_client_starts_it_and_every_socket_serves(place: Path, port: int, manager: socket.socket) -> None:
    text = 'auth_tcp = "none"\nunix_sock_rw_perms = "0770"\ntcp_port = "1"\n'
    daemon = activated(place, port, text, "--timeout", "1")
    for name in ("second", "first"):
        assert virsh(f"test+unix:///default?socket={place}/{name}", "list", "--name").split() == ["test"]
    assert virsh(f"test+tcp://127.0.0.1:{port}/default", "list", "--name").split() == ["test"]
    refused = virsh(f"test+unix:///default?socket={place}/ro", "destroy", "test")
    assert "read only access prevents virDomainDestroy" in refused
    administrator = ["virt-admin", "-c", f"libvirtd+unix:///system?socket={place}/admin", "srv-list"]
    servers = subprocess.run(administrator, capture_output=True, text=True, timeout=15).stdout
    assert servers.split()[-4:] == ["0", "virtproxyd", "1", "admin"]
    assert daemon.process.wait(15) == 0
    said = daemon.said()
    for key, line in (("unix_sock_dir", 1), ("unix_sock_rw_perms", 3), ("tcp_port", 4)):
        assert f"d.conf:{line}: {key} has no effect where systemd listens" in said
    assert [match[1] for match in re.finditer(r"listens on (\S+ \S+)", said)] == [
        f"unix {place}/first",
        f"unix {place}/ro",
        f"unix {place}/second",
        f"tcp 127.0.0.1:{port}",
        f"unix {place}/admin",
    ]
    assert "Traceback" not in said
    # The sockets are systemd's: their files stay.
    assert {"first", "ro", "second", "admin"} <= set(os.listdir(place))
    assert not (place / "pid").exists()
    told = manager.recv(1000).decode().split("\n")
    assert told[0] == "READY=1"
    assert manager.recv(1000).decode().startswith("STOPPING=1")


def test_without_names_the_addresses_say_it(place: Path, port: int) -> None:
    configured = f'auth_tcp = "none"\ntcp_port = "{port}"\n'
    command = ["systemd-socket-activate", *(f"-E{name}={value}" for name, value in environment(place).items())]
    listen = ["-l", str(place / "libvirt-sock"), "-l", f"127.0.0.1:{port}", "-l", str(place / "libvirt-sock-ro")]
    arguments = [*COMMAND, "-v", "-f", str(configuration(place, configured)), "-p", str(place / "pid")]
    daemon = DaemonProcess(place, arguments, [*command, *listen])
    daemon.wait_for(r"Listening on \S+ as 5")
    assert virsh(f"test+tcp://127.0.0.1:{port}/default", "list", "--name").split() == ["test"]
    assert daemon.stop() == 0
    assert "listens on unix " + str(place / "libvirt-sock-ro") in daemon.said()


def test_a_socket_that_is_for_nothing_keeps_it_from_starting(place: Path, port: int) -> None:
    daemon = activated(place, port, "", names="virtproxyd.socket:odd")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "first"))
        assert daemon.process.wait(15) == 6
    assert "virtproxyd has no use for the socket odd" in daemon.said()
    assert "Traceback" not in daemon.said()


def test_listen_is_refused_where_sockets_are_passed(place: Path) -> None:
    script = (
        "import os, sys; os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1');"
        "from virtproxy.daemon.run import main; sys.exit(main('libvirtd', ['--listen']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(place), timeout=15
    )
    assert done.returncode == 1
    assert done.stderr.startswith("libvirtd: --listen is not for where systemd listens: leave it out")


def test_the_service_manager_hears_of_all_that_happens(place: Path, manager: socket.socket) -> None:
    environ = environment(place, NOTIFY_SOCKET=str(place / "notify"), WATCHDOG_USEC="400000")
    arguments = ["-v", "-f", str(configuration(place)), "-p", str(place / "pid")]
    daemon = DaemonProcess(place, arguments, environ=environ)
    assert manager.recv(1000).decode().split("\n") == ["READY=1", "STATUS=0 clients"]
    for _ in range(2):
        assert manager.recv(1000) == b"WATCHDOG=1\nSTATUS=0 clients"
    daemon.process.send_signal(signal.SIGHUP)
    told: list[str] = []
    while len(told) < 2:
        told += [line for line in manager.recv(1000).decode().split("\n") if line in {"RELOADING=1", "READY=1"}]
    assert told == ["RELOADING=1", "READY=1"]
    assert daemon.stop() == 0
    while not (last := manager.recv(1000)).startswith(b"STOPPING=1"):
        assert last.startswith(b"WATCHDOG=1")
