# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demonstration as a user runs it: with a real daemon, a real virsh and everything that can be in the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = [sys.executable, "-m", "virtproxy.cli.main", "demo"]
ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"}


def run(*arguments: str, before: tuple[str, ...] = (), **env: str) -> subprocess.CompletedProcess[str]:
    command = [*before, *DEMO, *arguments]
    return subprocess.run(command, env={**ENV, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the one sentence of a demonstration that gave up."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.startswith("virtproxy demo: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("virtproxy demo: ").strip()


@pytest.mark.programs("virsh")
def test_shows_both_transports_with_both_clients() -> None:
    ended = run("--once", "--port", "0")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.count("was told by events: suspended, resumed") == 2
    assert ended.stdout.count("paused (user)") == 2
    assert "virsh -c 'test+tls://127.0.0.1:" in ended.stdout


def test_without_virsh_it_says_so_and_goes_on() -> None:
    ended = run("--once", "--port", "0", PATH="/nonexistent")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("virsh is not installed") == 2
    assert ended.stdout.count("was told by events") == 2


@pytest.mark.programs("virsh")
def test_json() -> None:
    said = json.loads(run("--json", "--port", "0").stdout)
    assert said["unix_uri"].startswith("test+unix:///default?socket=/")
    assert [" test " in part["output"] for part in said["virsh"]] == [True, True]
    assert all(command.startswith("virsh -c ") for command in said["commands"])


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory for temporary files in which the path of a socket is not too long."""
    with tempfile.TemporaryDirectory(prefix="vp") as name:
        yield Path(name)


def test_stays_up_until_interrupted_and_leaves_nothing(short_path: Path) -> None:
    with subprocess.Popen(
        [*DEMO, "--port", "0"], env={**ENV, "TMPDIR": str(short_path)}, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        lines: list[str] = []
        while not lines or "until Ctrl-C" not in lines[-1]:
            lines.append(next(demo.stdout))
        daemon = int(next(line for line in lines if "(process " in line).split("process ")[1].split(")")[0])
        os.kill(daemon, 0)
        demo.send_signal(signal.SIGINT)
        assert demo.stdout.read().strip() == "Good-bye."
    assert demo.returncode == 0
    assert not list(short_path.iterdir())
    assert not Path(f"/proc/{daemon}").exists()


def test_a_daemon_that_ends_is_reported() -> None:
    with subprocess.Popen(
        [*DEMO, "--port", "0"], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        for line in demo.stdout:
            if "(process " in line:
                daemon = int(line.split("process ")[1].split(")")[0])
            if "until Ctrl-C" in line:
                os.kill(daemon, signal.SIGKILL)
        assert "virtproxyd ended (exit status -9)" in demo.stderr.read()
    assert demo.returncode == 1


def test_a_directory_of_the_users_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "d"
    assert run("--once", "--port", "0", "--dir", str(place)).returncode == 0
    assert stat.S_IMODE((place / "pki/serverkey.pem").stat().st_mode) == 0o600
    assert "listen_tls" in (place / "virtproxyd.conf").read_text()
    assert "is not empty" in refused(run("--once", "--port", "0", "--dir", str(place)))


def test_port_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        said = refused(run("--once", "--port", str(port)))
    assert said.startswith(f"port {port} of 127.0.0.1 is taken: end what listens there, or choose another")


def test_no_port_number() -> None:
    ended = run("--port", "99999")
    assert ended.returncode == 2
    assert "99999 is no TCP port" in ended.stderr


@pytest.mark.root
@pytest.mark.programs("unshare")
def test_without_any_network() -> None:
    said = refused(run("--once", before=("unshare", "-n")))
    assert said == "127.0.0.1 cannot be reached: the loopback interface is down (ip link set lo up)"


@pytest.mark.parametrize(
    ("place", "said"), [("/proc/1/new", "cannot use a directory"), ("/dev/null", "cannot use a directory")]
)
def test_a_directory_that_cannot_be_used(place: str, said: str) -> None:
    assert said in refused(run("--once", "--port", "0", "--dir", place))


def test_a_directory_with_too_long_a_path(tmp_path: Path) -> None:
    assert "too long for a UNIX socket" in refused(run("--once", "--port", "0", "--dir", str(tmp_path / ("x" * 100))))


def test_a_daemon_that_does_not_start(tmp_path: Path) -> None:
    # The child's environment names a reactor that there is not.
    said = refused(run("--once", "--port", "0", VIRTPROXY_REACTOR="none"))
    assert said.startswith("virtproxyd did not start: ")
    assert "VIRTPROXY_REACTOR" in said


def test_a_reader_that_has_gone() -> None:
    demo = subprocess.Popen(
        [*DEMO, "--once", "--port", "0"], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    demo.stdout.close()
    assert demo.stderr is not None
    with demo, demo.stderr:
        assert "Traceback" not in demo.stderr.read()
    assert demo.returncode == 1
