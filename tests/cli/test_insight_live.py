# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy top`` and live ``virtproxy trace`` at a real virtproxyd, by its admin socket."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess, configuration, environment
from tests.support.raw import RawClient, raw_client
from virtproxy.cli.main import main
from virtproxy.protocol import remote

VIRTPROXY = (sys.executable, "-W", "error", "-m", "virtproxy.cli.main")
PATIENCE = 15.0
URI = "test:///default"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp(prefix="vp"))
    yield path
    DaemonProcess.end_all(path)
    shutil.rmtree(path)


@pytest.fixture
def sockets(place: Path) -> Path:
    """The directory of a daemon's sockets; a user's own daemon has an admin socket in the usual place only."""
    if os.geteuid() == 0:
        file, directory = configuration(place), place
    else:
        file, directory = place / "d.conf", place / "run" / "libvirt"
        file.write_text("")
    DaemonProcess(place, ["-f", str(file), "-p", str(place / "pid"), "-v"]).wait_for("is ready")
    return directory


def admin(sockets: Path) -> list[str]:
    return ["--socket", str(sockets / "libvirt-admin-sock")]


def opened(sockets: Path) -> RawClient:
    client = RawClient(sockets / "libvirt-sock")
    client.open(URI)
    return client


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_top_and_kill(sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, other = opened(sockets), opened(sockets)
    said = json.loads(ask(capsys, "top", "--json", *admin(sockets)))
    assert [one["client"] for one in said["clients"]] == [1, 2]
    assert said["clients"][0]["subject"].split()[0] == f"uid:{os.getuid()}"
    assert (said["calls"], said["total"]) == ([], 0)
    assert "2 clients, 0 calls in flight" in ask(capsys, "top", "--once", *admin(sockets))
    assert ask(capsys, "top", "--kill", "2", *admin(sockets)) == "client 2 is cut off\n"
    assert other.receive() is None
    assert client.call(remote.CONNECT_GET_TYPE.call_frame(9, None)).serial == 9
    assert main(["top", "--kill", "2", *admin(sockets)]) == 1
    assert "'2'" in capsys.readouterr().err
    for one in (client, other):
        one.close()


def test_a_socket_of_clients_is_not_for_administrators(sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--socket", str(sockets / "libvirt-sock")]) == 1
    assert "is not an admin socket of virtproxy's" in capsys.readouterr().err


def test_trace_as_it_happens(place: Path, sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (daemon,) = (daemon for daemon in DaemonProcess.running if daemon.place == place)
    recording = place / "recording.pcapng"
    command = [*VIRTPROXY, "trace", "--json", "--write", str(recording), *admin(sockets)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(place)
    ) as trace:
        assert trace.stdout is not None
        assert trace.stderr is not None
        assert "from now on" in trace.stderr.readline()
        with raw_client(sockets / "libvirt-sock") as client:
            client.open(URI)
            document = remote.DomainDefineXmlArgs(xml="<domain><graphics passwd='hunter2'/></domain>")
            client.call(remote.DOMAIN_DEFINE_XML.call_frame(9, document))
        lines = [trace.stdout.readline() for _ in range(3)]
        trace.send_signal(signal.SIGINT)
        assert trace.wait(PATIENCE) == 0
    daemon.wait_for("an administrator sees the packets of all clients: trace 1")
    daemon.wait_for("trace 1 ends")
    names = [json.loads(line)["procedure"] for line in lines]
    assert names == ["AUTH_LIST", "CONNECT_OPEN", "DOMAIN_DEFINE_XML"]
    assert "hunter2" not in lines[2]
    assert '"***"' in lines[2] or "passwd='***'" in lines[2]
    assert ask(capsys, "trace", "--read", str(recording), "--json").splitlines(keepends=True) == lines
    assert b"hunter2" not in recording.read_bytes()


class Terminal:
    """``virtproxy top`` on a terminal of its own."""

    def __init__(self, place: Path, sockets: Path) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 100))
        self.before = termios.tcgetattr(self.slave)
        env = {**environment(place), "TERM": "xterm"}
        self.text = ""
        self.process = subprocess.Popen(
            [*VIRTPROXY, "top", "--interval", "0.2", *admin(sockets)],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env=env, start_new_session=True,
        )  # fmt: skip

    def wait_for(self, text: str) -> None:
        """Read until it has shown a text."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode()

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def end(self) -> int:
        """Wait for its end; the terminal must be as it was."""
        self.wait_for("\x1b[?1049l")
        status = self.process.wait(PATIENCE)
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return status


def test_a_terminal_is_left_as_it_was(place: Path, sockets: Path) -> None:
    client = opened(sockets)
    terminal = Terminal(place, sockets)
    terminal.wait_for("1 clients, 0 calls in flight")
    terminal.type("k")
    terminal.wait_for("end the client with the number: ")
    terminal.type("1\n")
    terminal.wait_for("client 1 is cut off")
    assert client.receive() is None
    terminal.type("q")
    assert terminal.end() == 0
    client.close()


def test_an_interrupt_leaves(place: Path, sockets: Path) -> None:
    terminal = Terminal(place, sockets)
    terminal.wait_for("0 clients")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 0
