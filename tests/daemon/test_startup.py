# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mistakes at the start, with real processes: the exit code, a message that says what to do, no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import COMMAND, TWISTD, DaemonProcess, configuration, environment
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from virtproxy.daemon.catalogue import ROWS


@pytest.fixture
def live(place: Path) -> Iterator[DaemonProcess]:
    """A daemon that is up, with its sockets and its pid file in ``place``."""
    text = 'listen_tcp = 1\nauth_tcp = "none"\ntcp_port = "0"\nlisten_addr = "127.0.0.1"\n'
    path = configuration(place, text).rename(place / "live.conf")
    daemon = DaemonProcess(place, ["-v", "-f", str(path), "-p", str(place / "live.pid")])
    daemon.wait_for("is ready")
    yield daemon
    assert daemon.stop() == 0


def files(place: Path) -> list[str]:
    """What is in the directory besides a user's cache, which the daemon of an ordinary user makes there."""
    return sorted(name for name in os.listdir(place) if name != ".cache")


def start(place: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Run a daemon that cannot start; its exit code and what it said."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=environment(place, **more),
        cwd=place,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def mistake(place: Path, text: str, *arguments: str) -> tuple[int, str]:
    """Run a daemon with a mistake in its file; nothing may be left in its directory."""
    path = configuration(place, text)
    before = files(place)
    code, said = start(place, "-f", str(path), "-p", str(place / "d.pid"), *arguments)
    assert files(place) == before
    return code, said


CONFIGURED = [
    ("max_clients = [", "d.conf:2: expected ']' to end the list that starts here"),
    ("max_clients = 5 5", "d.conf:2: expected the end of the line after the value of 'max_clients', found '5'"),
    ("\n\nmax_clients = 'many'", 'd.conf:4: max_clients must be a number of at least 0, not "many"'),
    ("auth_unix_rw = 'kerberos'", 'd.conf:2: auth_unix_rw = "kerberos" is unknown: expected one of "none"'),
    ("auth_tls = 'polkit'", 'd.conf:2: auth_tls = "polkit" cannot be: polkit knows this host\'s own processes'),
    ("access_drivers = [ 'roles' ]", 'd.conf:2: access_drivers must be one of "none", "polkit", not "roles"'),
    ("audit_level = 2", "d.conf:2: audit_level = 2 insists on an audit: name its file"),
    ("host_uuid = '123'", 'd.conf:2: host_uuid must be a UUID of 32 hexadecimal digits, not "123"'),
    ("host_uuid_source = 'bios'", 'd.conf:2: host_uuid_source must be one of "smbios", "machine-id"'),
    ("log_level = 5", "d.conf:2: log_level must be from 0 to 4, not 5"),
    ("log_outputs = '1:printer'", "d.conf:2: log_outputs: expected outputs such as"),
    ("log_outputs = '1:file:/nonexistent/log'", "cannot write the log file /nonexistent/log: No such file"),
    ("unix_sock_group = 'nosuchgroup'", 'd.conf:2: there is no group "nosuchgroup" on this host'),
    ("unix_sock_rw_perms = '0999'", "d.conf:2: unix_sock_rw_perms must be permissions in octal"),
    ("unix_sock_admin_perms = 'x'", "d.conf:2: unix_sock_admin_perms must be permissions in octal"),
    ("backend_sockets = [ 'qemu' ]", 'd.conf:2: an entry of backend_sockets must be "driver=/path'),
    ("listen_tls = 1\ntls_port = 'x'", "d.conf:3: tls_port must be a port number"),
]


@pytest.mark.parametrize(("text", "expected"), CONFIGURED)
def test_a_mistake_in_the_file(place: Path, text: str, expected: str) -> None:
    code, said = mistake(place, text)
    assert said.startswith("virtproxyd: ")
    assert expected in said
    assert code == 1


def test_a_file_that_is_missing(place: Path) -> None:
    path = str(place / "none.conf")
    said = f"virtproxyd: {path}: cannot read the configuration file: No such file or directory\n"
    assert start(place, "-f", path) == (1, said)


@pytest.mark.root
def test_a_file_that_may_not_be_read(place: Path) -> None:
    path = configuration(place)
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    command = ["unshare", "--user", *COMMAND, "-f", str(path)]  # where root is not almighty
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(place), timeout=20)
    said = f"virtproxyd: {path}: cannot read the configuration file: Permission denied\n"
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--nonsense"], "option --nonsense not recognized\nTry 'virtproxyd --help'."),
        (["--listen"], "option --listen not recognized"),
        (["-t", "soon"], "--timeout must be a number of seconds"),
        (["please"], "virtproxyd takes options only, not 'please'"),
        (["-f"], "requires argument"),
    ],
)
def test_a_wrong_option(place: Path, arguments: list[str], expected: str) -> None:
    code, said = start(place, *arguments)
    assert code == 1
    assert expected in said


@pytest.mark.parametrize("variable", ["LIBVIRT_DEBUG", "LIBVIRT_LOG_OUTPUTS", "VIRTPROXY_REACTOR"])
def test_a_wrong_variable(place: Path, variable: str) -> None:
    code, said = start(place, "-f", str(configuration(place)), **{variable: "nonsense"})
    assert code == 1
    assert said.startswith(f"virtproxyd: environment variable {variable}: expected")


def test_a_socket_path_that_is_too_long(place: Path) -> None:
    path = place / "long.conf"
    path.write_text(f'\nunix_sock_dir = "/{"x" * 100}"\n')
    code, said = start(place, "-f", str(path))
    assert code == 1
    assert f"{path}:2: the path of a UNIX socket may have at most 107 bytes" in said
    assert "set unix_sock_dir to a shorter path" in said


def test_a_socket_directory_that_is_missing(place: Path) -> None:
    path = place / "d.conf"
    path.write_text(f'unix_sock_dir = "{place}/none"\n')
    code, said = start(place, "-f", str(path), "-p", str(place / "d.pid"))
    assert (code, said) == (1, f"virtproxyd: {path}:1: the directory {place}/none does not exist: create it first\n")
    assert files(place) == ["d.conf"]


def test_a_missing_certificate(place: Path) -> None:
    keys = "".join(f'{name}_file = "{place}/{name}.pem"\n' for name in ("ca", "cert", "key"))
    code, said = mistake(place, f"listen_tls = 1\n{keys}")
    assert code == 6
    assert said.startswith(f"virtproxyd: {place}/d.conf:2: TLS cannot start: ")
    assert f"{place}/ca.pem" in said or f"{place}/cert.pem" in said or f"{place}/key.pem" in said


def test_certificate_keys_that_belong_together(place: Path) -> None:
    code, said = mistake(place, f'listen_tls = 1\ncert_file = "{place}/cert.pem"\n')
    assert code == 6
    assert "key_file and ca_file must be set too" in said


def test_an_expired_certificate(place: Path) -> None:
    authority = Authority()
    (place / "ca.pem").write_bytes(pem(authority.certificate))
    write_pair(place, "server", authority.issue(Leaf("host", purposes=(SERVER,), days=(-9, -1))))
    text = (
        f'listen_tls = 1\nca_file = "{place}/ca.pem"\n'
        f'cert_file = "{place}/servercert.pem"\nkey_file = "{place}/serverkey.pem"\n'
    )
    code, said = mistake(place, text)
    assert code == 6
    assert f"{place}/servercert.pem" in said
    assert "expired" in said


def test_a_second_daemon_hears_whose_the_pid_file_is(place: Path, live: DaemonProcess) -> None:
    code, said = start(place, "-f", str(place / "live.conf"), "-p", str(place / "live.pid"))
    expected = f"virtproxyd: another daemon runs already: process {live.pid} holds the pid file {place}/live.pid\n"
    assert (code, said) == (1, expected)


@pytest.mark.parametrize("more", [[], ["-d"]])
def test_a_socket_in_use_names_the_process(place: Path, live: DaemonProcess, more: list[str]) -> None:
    code, said = mistake(place, "", *more)
    assert code == 6
    assert f"{place}/libvirt-sock is in use by process {live.pid} (python" in said
    assert "stop it or set unix_sock_dir" in said


@pytest.mark.parametrize("more", [[], ["-d"]])
def test_a_port_in_use_names_the_key(place: Path, live: DaemonProcess, more: list[str]) -> None:
    (port,) = live.ports()
    other = place / "other"
    other.mkdir()
    text = f'listen_tcp = 1\nauth_tcp = "none"\ntcp_port = "{port}"\nlisten_addr = "127.0.0.1"\n'
    code, said = mistake(other, text, *more)
    assert code == 6
    assert (
        f"cannot listen for TCP clients on 127.0.0.1:{port}: the port is taken; "
        "stop what listens there or set tcp_port" in said
    )


def test_an_address_of_another_host(place: Path) -> None:
    code, said = mistake(place, 'listen_tcp = 1\nauth_tcp = "none"\nlisten_addr = "192.0.2.7"\n')
    assert code == 6
    assert "192.0.2.7:16509: the host does not have this address; set listen_addr" in said


def test_a_stale_socket_and_a_stale_pid_file_are_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "libvirt-sock"))
    (place / "d.pid").write_text("1\n")
    daemon = DaemonProcess(place, ["-v", "-f", str(configuration(place)), "-p", str(place / "d.pid")])
    daemon.wait_for("is ready")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "libvirt-sock"))
    assert (place / "d.pid").read_text() == f"{daemon.pid}\n"
    assert daemon.stop() == 0
    assert files(place) == ["d.conf", "output"]


@pytest.mark.programs("unshare")
@pytest.mark.parametrize("user", [(), ("unshare", "--user")], ids=["system", "session"])
@pytest.mark.parametrize("command", [("-m", "virtproxy.cli.daemons"), (*TWISTD[1:], "-n")], ids=["program", "twistd"])
def test_daemons_without_a_driver_say_so(place: Path, command: tuple[str, ...], user: tuple[str, ...]) -> None:
    names = [name for name, row in ROWS.items() if not row.served]
    started = [
        subprocess.Popen(
            [*user, sys.executable, *command, name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(place),
            cwd=place,
        )
        for name in names
    ]
    said = {
        name: (daemon.communicate(timeout=25)[1], daemon.returncode)
        for name, daemon in zip(names, started, strict=True)
    }
    for name, (text, code) in said.items():
        assert f"{name} has no driver in this version of virtproxy; run libvirt's own {name}" in text
        assert (text.count("\n"), code) == (1, 11)
    assert files(place) == []


def test_an_unknown_daemon_is_told_from_the_known() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "virtproxy.cli.daemons", "virtfood"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "NAME is one of libvirtd, virtproxyd, virtqemud" in done.stderr
