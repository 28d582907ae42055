# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon's life, with real processes: ready, idle, told to end, in the background, under twistd."""

from __future__ import annotations

import ipaddress
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.daemon_process import COMMAND, STARTING, TWISTD, DaemonProcess, configuration, environment
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair

URI = "test+unix:///default?socket={place}/libvirt-sock"


def arguments(place: Path, text: str = "") -> list[str]:
    return ["-v", "-f", str(configuration(place, text)), "-p", str(place / "d.pid")]


def started(place: Path, text: str = "", *more: str, **environ: str) -> DaemonProcess:
    daemon = DaemonProcess(place, [*arguments(place, text), *more], environ=environment(place, **environ))
    daemon.wait_for("is ready")
    return daemon


def virsh(place: Path, *words: str) -> str:
    """What virsh says of the daemon in ``place``."""
    command = ["virsh", "-c", URI.format(place=place), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout


def left(place: Path) -> list[str]:
    return sorted(set(os.listdir(place)) - {"d.conf", "output"})


@pytest.mark.parametrize("reactor", ["default", "asyncio", "poll"])
def test_it_serves_until_told_to_end(place: Path, reactor: str) -> None:
    daemon = started(place, VIRTPROXY_REACTOR=reactor)
    assert "test" in virsh(place, "list", "--name")
    assert (place / "d.pid").read_text() == f"{daemon.pid}\n"
    assert daemon.stop() == 0
    assert left(place) == []
    assert "Traceback" not in daemon.said()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_with_clients_connected(place: Path, number: int) -> None:
    daemon = started(place)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(place / "libvirt-sock"))
        virsh(place, "uri")
        began = time.monotonic()
        assert daemon.stop(number) == 0
        assert silent.recv(1) == b""
    assert time.monotonic() - began < 5
    assert left(place) == []
    assert "Traceback" not in daemon.said()


def test_an_impatient_administrator_changes_nothing(place: Path) -> None:
    daemon = started(place)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "libvirt-sock"))
        for _ in range(5):
            os.kill(daemon.pid, signal.SIGTERM)
            time.sleep(0.01)
        assert daemon.stop() == 0
    assert left(place) == []
    assert "Traceback" not in daemon.said()


def test_a_hangup_says_what_needs_a_restart(place: Path) -> None:
    daemon = started(place, "max_clients = 7\n")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("virtproxyd has reloaded")
    assert "restart" not in daemon.said()
    configuration(place, "max_clients = 8\nkeepalive_count = 9\n")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for(rf"need a restart: max_clients \({place}/d.conf:2\), keepalive_count \({place}/d.conf:3\)")
    configuration(place, "max_clients = many\n")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for(rf"a restart would fail: {place}/d.conf:2: ")
    (place / "d.conf").unlink()
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("a restart would fail: .*No such file")
    virsh(place, "uri")
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


def test_it_ends_when_idle_but_not_before(place: Path) -> None:
    daemon = started(place, "", "-t", "1")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "libvirt-sock"))
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.process.wait(1.7)
    assert daemon.process.wait(STARTING) == 0
    assert left(place) == []


@pytest.mark.root
def test_modes_and_owners(place: Path) -> None:
    text = 'unix_sock_group = "12345"\nunix_sock_rw_perms = "0770"\nunix_sock_ro_perms = "0666"\n'
    daemon = started(place, text)
    found = {name: os.stat(place / name) for name in ("libvirt-sock", "libvirt-sock-ro")}
    assert {name: stat.S_IMODE(entry.st_mode) for name, entry in found.items()} == {
        "libvirt-sock": 0o770,
        "libvirt-sock-ro": 0o666,
    }
    assert {(entry.st_uid, entry.st_gid) for entry in found.values()} == {(0, 12345)}
    assert daemon.stop() == 0


def test_tcp_on_both_families(place: Path) -> None:
    daemon = started(place, 'listen_tcp = 1\nauth_tcp = "none"\ntcp_port = "0"\n')
    four, six = daemon.ports()
    for uri in (f"test+tcp://127.0.0.1:{four}/default", f"test+tcp://[::1]:{six}/default"):
        assert subprocess.run(["virsh", "-c", uri, "uri"], capture_output=True, check=False, timeout=15).returncode == 0
    assert daemon.stop() == 0


def tls_files(place: Path) -> str:
    """Make an authority, a server and a client under it, and return the settings for them."""
    authority = Authority()
    (place / "cacert.pem").write_bytes(pem(authority.certificate))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    write_pair(place, "server", authority.issue(Leaf("host", purposes=(SERVER,), hosts=(address,))))
    write_pair(place, "client", authority.issue(Leaf()))
    keys = f'ca_file = "{place}/cacert.pem"\ncert_file = "{place}/servercert.pem"\nkey_file = "{place}/serverkey.pem"\n'
    return f'listen_tls = 1\ntls_port = "0"\nlisten_addr = "127.0.0.1"\nmax_anonymous_clients = 1\n{keys}'


def test_tls_with_and_without_a_certificate(place: Path) -> None:
    daemon = started(place, tls_files(place))
    (port,) = daemon.ports()
    address = f"test+tls://127.0.0.1:{port}/default?pkipath="
    (place / "none").mkdir()
    os.link(place / "cacert.pem", place / "none" / "cacert.pem")

    def connects(directory: Path) -> bool:
        command = ["virsh", "-c", f"{address}{directory}", "uri"]
        return subprocess.run(command, capture_output=True, check=False, timeout=15).returncode == 0

    # Only one client may be on its way in: each that was refused must have been counted out again.
    assert [connects(place / "none"), connects(place), connects(place / "none"), connects(place)] == [
        False,
        True,
        False,
        True,
    ]
    daemon.wait_for(r"\[client \d+, anonymous\] TLS client .* refused")
    with socket.socket() as silent:
        silent.connect(("127.0.0.1", port))
        daemon.wait_for("new ones wait")
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


def test_odd_settings_are_in_the_log(place: Path) -> None:
    daemon = started(place, "max_client = 7\novs_timeout = 3\n")
    assert f"{place}/d.conf:2: virtproxyd has no setting max_client; it is ignored (did you mean max_clients?)" in (
        daemon.said()
    )
    assert f"{place}/d.conf:3: ovs_timeout has no effect" in daemon.said()
    assert daemon.stop() == 0


def test_at_the_limit_clients_wait_their_turn(place: Path) -> None:
    daemon = started(place, "max_clients = 1\n")
    first = socket.socket(socket.AF_UNIX)
    first.connect(str(place / "libvirt-sock"))
    daemon.wait_for("new ones wait")
    command = ["virsh", "-c", URI.format(place=place), "list", "--name"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.5)
        first.close()
        said, _ = second.communicate(timeout=15)
    assert said.split() == ["test"]
    assert daemon.stop() == 0


def end_by_pid_file(path: Path) -> None:
    """End a daemon that is no child of ours, by the pid in its file."""
    os.kill(int(path.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + STARTING
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_in_the_background_it_serves_when_the_command_ends(place: Path) -> None:
    text = f'log_outputs = "2:file:{place}/log"\n'
    done = subprocess.run(
        [*COMMAND, *arguments(place, text), "-d"], capture_output=True, text=True, timeout=20, env=environment(place)
    )
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert "test" in virsh(place, "list", "--name")
        pid = int((place / "d.pid").read_text())
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        # Field 6 of proc_pid_stat(5): it is in a session of its own, whose leader is gone.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[3]) not in {pid, os.getsid(0)}
    finally:
        end_by_pid_file(place / "d.pid")
    assert left(place) == ["log"]
    assert "Traceback" not in (place / "log").read_text()


def test_a_users_own_daemon(place: Path) -> None:
    (place / "run").mkdir(mode=0o700)
    # In a user namespace of its own root is nobody, and so has a session daemon.
    command = ["unshare", "--user", *COMMAND] if os.geteuid() == 0 else COMMAND
    daemon = DaemonProcess(place, ["-v"], command)
    daemon.wait_for("is ready")
    run = place / "run" / "libvirt"
    assert stat.S_IMODE(os.stat(run).st_mode) == 0o700
    assert sorted(os.listdir(run)) == ["libvirt-admin-sock", "libvirt-sock", "virtproxyd.pid"]
    assert stat.S_IMODE(os.stat(run / "libvirt-sock").st_mode) == 0o700
    assert daemon.stop() == 0
    assert os.listdir(run) == []


def twistd(place: Path, *words: str, text: str = "") -> DaemonProcess:
    """A daemon under twistd."""
    command = [*TWISTD, f"--pidfile={place}/twistd.pid", *words, "virtproxyd"]
    return DaemonProcess(place, arguments(place, text), command)


@pytest.mark.parametrize("words", [["-n"], ["-n", "--reactor=asyncio"]])
def test_under_twistd(place: Path, words: list[str]) -> None:
    daemon = twistd(place, *words)
    daemon.wait_for("is ready")
    assert "test" in virsh(place, "list", "--name")
    assert daemon.stop() == -signal.SIGTERM  # twistd ends by the signal that ended it
    assert left(place) == []
    assert "Traceback" not in daemon.said()


def test_a_hangup_under_twistd(place: Path) -> None:
    daemon = twistd(place, "-n")
    daemon.wait_for("is ready")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("virtproxyd has reloaded")
    assert daemon.stop() == -signal.SIGTERM
    assert left(place) == []


def test_in_the_background_under_twistd(place: Path) -> None:
    daemon = twistd(place, f"--logfile={place}/log")
    assert daemon.process.wait(STARTING) == 0
    try:
        assert "test" in virsh(place, "list", "--name")
        assert (place / "d.pid").read_text().strip() == (place / "twistd.pid").read_text().strip()
    finally:
        end_by_pid_file(place / "d.pid")


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [("max_clients = -1\n", 1, r"d\.conf:2: max_clients must be from"), ("listen_tls = 1\n", 6, "TLS cannot start")],
)
def test_mistakes_under_twistd(place: Path, text: str, code: int, expected: str) -> None:
    daemon = twistd(place, "-n", text=text)
    assert daemon.process.wait(STARTING) == code
    assert re.search(expected, daemon.said())
    assert "Traceback" not in daemon.said()
    assert left(place) == []


def test_twistd_knows_every_daemon(place: Path) -> None:
    shown = subprocess.run([*TWISTD, "--help"], capture_output=True, text=True, check=True, env=environment(place))
    for name in ("virtproxyd", "virtqemud", "virtnetworkd", "libvirtd"):
        assert re.search(rf"^\s+{name}\s+virtproxy's {name}", shown.stdout, re.MULTILINE)


def test_at_rest_it_is_small(place: Path) -> None:
    daemon = started(place)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    resident = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])
    assert resident <= 60 * 1024
    assert daemon.stop() == 0


def test_hangup_opens_the_log_again(place: Path) -> None:
    daemon = started(place, f'log_outputs = "2:stderr 2:json:{place}/log"\n')
    (place / "log").rename(place / "log.1")
    os.kill(daemon.pid, signal.SIGHUP)
    daemon.wait_for("has reloaded")
    assert "is ready" in (place / "log.1").read_text()
    messages = [json.loads(line)["message"] for line in (place / "log").read_text().splitlines()]
    assert messages == ["virtproxyd has reloaded"]
    assert daemon.stop() == 0


def test_a_line_says_whom_it_is_about(place: Path) -> None:
    daemon = started(place, f'log_filters = "1:service"\nlog_outputs = "1:json:{place}/log 2:stderr"\n')
    virsh(place, "uri")
    assert daemon.stop() == 0
    lines = map(json.loads, (place / "log").read_text().splitlines())
    about = [line for line in lines if "subject" in line]
    found = [(line["connection"], line["subject"], line["message"].split(":")[0]) for line in about]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert found == [(1, f"user:{user}", "client 1 connected"), (1, f"user:{user}", "client 1 is gone")]
