# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy doctor``: each thing that can be wrong, how it ends, and that nothing hangs it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.support.daemon_process import DaemonProcess, configuration, environment
from tests.support.sasl import server_of_tests
from virtproxy.auth.sasl.connection import SaslConnection
from virtproxy.auth.sasl.server import Server
from virtproxy.cli import doctor, doctor_files, doctor_settings, doctor_sockets, mode_view
from virtproxy.cli.doctor_admin import judged, limits
from virtproxy.cli.doctor_talk import answers
from virtproxy.cli.findings import ERROR, OK, WARNING, Finding
from virtproxy.cli.listening import Listeners, Process
from virtproxy.cli.main import main
from virtproxy.cli.mode_view import DaemonView, HostView, Place
from virtproxy.cli.systemctl import UnitState
from virtproxy.daemon.paths import SYSTEM, Places

NOBODY = {name: DaemonView(name, False, False, False) for name in mode_view.look(None).daemons}


@pytest.fixture(autouse=True, scope="module")
def libsasl2() -> None:
    """It reads its configuration once in a process, and other tests want theirs."""
    server_of_tests()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Where the sockets are; nobody else may write there."""
    directory = tmp_path / "run"
    directory.mkdir(mode=0o755)
    return directory


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    """What is opened in a test and closed after it."""
    with ExitStack() as stack:
        yield stack


def listener(stack: ExitStack, path: Path, mode: int = 0o666) -> socket.socket:
    made = stack.enter_context(socket.socket(socket.AF_UNIX))
    made.bind(str(path))
    made.listen()
    path.chmod(mode)
    return made


def found_in(run_dir: Path, **more: Any) -> list[tuple[str, str]]:
    view = replace(mode_view.look(None, Place(str(run_dir))), **more)
    return [(one.level, os.path.basename(one.about)) for one in doctor_sockets.sockets(view) if one.level != "unseen"]


def test_sockets_as_they_should_be(run_dir: Path, sockets: ExitStack) -> None:
    view = mode_view.look(None, Place(str(run_dir)))
    assert found_in(run_dir) == [(OK, "sockets")]
    listener(sockets, run_dir / "virtqemud-sock")
    seen = mode_view.look(None, Place(str(run_dir)))
    # This process is no daemon of the family.
    wrong = [one for one in doctor_sockets.sockets(seen) if one.level == ERROR]
    assert [one.fix for one in wrong] == [f"stop process {os.getpid()} and start virtqemud"]
    mine = (Process(os.getpid(), "virtqemud", "virtqemud"),)
    assert found_in(run_dir, listeners=Listeners({f"{run_dir}/virtqemud-sock": mine})) == [(OK, "sockets")]
    assert view.listeners.unix == {}


def test_a_socket_that_is_left_over(run_dir: Path, sockets: ExitStack) -> None:
    left = sockets.enter_context(socket.socket(socket.AF_UNIX))
    left.bind(str(run_dir / "virtqemud-sock"))
    left.close()
    (one,) = doctor_sockets.sockets(mode_view.look(None, Place(str(run_dir))))
    assert (one.level, one.fix) == (ERROR, f"rm {run_dir}/virtqemud-sock")
    assert "left over from a daemon that is gone" in one.problem


def test_what_else_can_be_in_a_sockets_place(run_dir: Path) -> None:
    (run_dir / "virtqemud-sock").write_text("")
    assert found_in(run_dir) == [(ERROR, "virtqemud-sock")]


def test_a_socket_that_is_gone_while_its_unit_is_active(run_dir: Path) -> None:
    units = {"virtqemud-ro.socket": UnitState("virtqemud-ro.socket", "loaded", "active", "enabled")}
    assert found_in(run_dir, units=units) == [(ERROR, "virtqemud-sock-ro")]


def test_admin_sockets_are_for_root_alone(run_dir: Path, sockets: ExitStack) -> None:
    path = run_dir / "virtqemud-admin-sock"
    listener(sockets, path, 0o660)
    mine = Listeners({str(path): (Process(1, "systemd"),)})
    assert found_in(run_dir, listeners=mine) == [(ERROR, "virtqemud-admin-sock")]
    path.chmod(0o600)
    assert found_in(run_dir, listeners=mine) == [(OK, "sockets")]


def test_a_directory_where_anybody_can_put_a_socket(run_dir: Path) -> None:
    run_dir.chmod(0o777)
    assert found_in(run_dir) == [(ERROR, "run")]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the daemons' configuration."""
    directory = tmp_path / "etc"
    directory.mkdir()
    monkeypatch.setattr(doctor_settings, "SYSTEM", replace(SYSTEM, config_dir=str(directory)))
    return directory


def running(run_dir: Path, *names: str, **more: Any) -> HostView:
    """A host on which these daemons run."""
    daemons = NOBODY | {name: DaemonView(name, True, True, True) for name in names}
    return replace(mode_view.look(None, Place(str(run_dir))), daemons=daemons, **more)


@pytest.mark.parametrize(
    ("text", "mode", "level", "part"),
    [
        ("", 0o644, OK, "sound"),
        ("max_clients = 5\n", 0o644, OK, "sound"),
        ("max_client = 5\n", 0o644, WARNING, "did you mean max_clients?"),
        ("max_clients = \n", 0o644, ERROR, "virtproxyd.conf:1"),
        ("", 0o666, ERROR, "others than root can write it"),
    ],
)
def test_configuration(config: Path, run_dir: Path, text: str, mode: int, level: str, part: str) -> None:
    path = config / "virtproxyd.conf"
    path.write_text(text)
    path.chmod(mode)
    (one,) = doctor_settings.settings(running(run_dir, "virtproxyd"))
    assert one.level == level
    assert part in one.problem


@pytest.mark.parametrize(
    ("mode", "text", "worst"),
    [
        (0o666, "", ERROR),
        (0o660, "", OK),
        (0o666, 'auth_unix_rw = "polkit"\n', OK),
        (0o666, 'auth_unix_rw = "none"\n', ERROR),
    ],
)
def test_a_door_without_a_lock(
    config: Path, run_dir: Path, sockets: ExitStack, mode: int, text: str, worst: str
) -> None:
    listener(sockets, run_dir / "libvirt-sock", mode)
    (config / "virtproxyd.conf").write_text(text)
    ours = (Process(7, "virtproxyd", "virtproxyd", python=True),)
    assert [one.level for one in doctor_settings.settings(running(run_dir, "virtproxyd", processes=ours))] == [worst]


def test_the_c_daemons_ask_polkit_unless_told_otherwise(config: Path, run_dir: Path, sockets: ExitStack) -> None:
    listener(sockets, run_dir / "libvirt-sock", 0o666)
    theirs = (Process(7, "libvirtd", "libvirtd"),)
    assert [one.level for one in doctor_settings.settings(running(run_dir, "libvirtd", processes=theirs))] == [OK]
    (config / "libvirtd.conf").write_text('auth_unix_rw = "none"\n')
    assert [one.level for one in doctor_settings.settings(running(run_dir, "libvirtd", processes=theirs))] == [ERROR]


def test_tls_without_certificates(config: Path, run_dir: Path, tmp_path: Path) -> None:
    assert [one.level for one in doctor_settings.certificates(running(run_dir, "virtproxyd"))] == [OK]
    files = "".join(f'{key}_file = "{tmp_path}/{key}.pem"\n' for key in ("key", "cert", "ca"))
    (config / "virtproxyd.conf").write_text(files)
    units = {"virtproxyd-tls.socket": UnitState("virtproxyd-tls.socket", "loaded", "active", "enabled")}
    found = [*doctor_settings.certificates(running(run_dir, "virtproxyd", units=units))]
    assert ERROR in {one.level for one in found}
    assert {one.fix for one in found if one.level == ERROR} == {"virtproxy pki check"}


def ask_for_weather(monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL is configured for a mechanism that does not exist; libsasl2 reads its file only once in a process."""
    monkeypatch.setattr(Server, "option", lambda server, name: "weather" if name == "mech_list" else None)
    monkeypatch.setattr(SaslConnection, "mechanisms", lambda connection: [])


def test_what_would_keep_remote_clients_out(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_for_weather(monkeypatch)
    files = "".join(f'{key}_file = "{tmp_path}/{key}.pem"\n' for key in ("key", "cert", "ca"))
    (config / "virtproxyd.conf").write_text(files)
    (one,) = doctor_settings.remote_faults("virtproxyd", ("tcp",))
    assert "asks for WEATHER, which no installed plugin has" in one.problem
    assert "ca_file" in doctor_settings.remote_faults("virtproxyd", ("tls",))[0].problem
    assert doctor_settings.remote_faults("libvirtd", ("tcp",)) == []


def test_sasl_that_nobody_could_use(
    config: Path, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_weather(monkeypatch)
    (config / "virtproxyd.conf").write_text("")
    units = {"virtproxyd-tcp.socket": UnitState("virtproxyd-tcp.socket", "loaded", "active", "enabled")}
    assert [one.level for one in doctor_settings.sasl(running(run_dir, "virtproxyd"))] == [OK]
    assert [one.level for one in doctor_settings.sasl(running(run_dir, "virtproxyd", units=units))] == [ERROR]


def test_a_pid_file_that_nobody_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_dir: Path) -> None:
    where: Places = replace(SYSTEM, pid_dir=str(tmp_path))
    monkeypatch.setattr(doctor_files, "SYSTEM", where)
    assert [one.level for one in doctor_files.files(running(run_dir))] == [OK]
    (tmp_path / "virtqemud.pid").write_text("12345\n")
    assert [(one.level, one.fix) for one in doctor_files.files(running(run_dir))] == [
        (WARNING, f"rm {tmp_path}/virtqemud.pid")
    ]


def test_units_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_dir: Path) -> None:
    monkeypatch.setattr(doctor_files, "SYSTEM", replace(SYSTEM, pid_dir=str(tmp_path)))
    units = {
        unit: UnitState(unit, "loaded", "active", "enabled", stale=unit.endswith("ro.socket"), program=f"{tmp_path}/no")
        for unit in ("virtqemud.service", "virtqemud.socket", "virtqemud-ro.socket", "virtqemud-admin.socket")
    }
    found = [*doctor_files.files(running(run_dir, "virtqemud", units=units))]
    assert [(one.level, one.about) for one in found] == [(WARNING, "units"), (ERROR, "virtqemud.service")]


@pytest.mark.parametrize(
    ("clients", "pool", "levels"),
    [
        ({"nclients": 1, "nclients_max": 10, "nclients_unauth": 0, "nclients_unauth_max": 5}, {}, [OK]),
        ({"nclients": 8, "nclients_max": 10, "nclients_unauth": 0, "nclients_unauth_max": 5}, {}, [WARNING]),
        ({"nclients": 10, "nclients_max": 10, "nclients_unauth": 5, "nclients_unauth_max": 5}, {}, [ERROR, ERROR]),
        ({}, {"nWorkers": 20, "freeWorkers": 0, "jobQueueDepth": 3}, [WARNING]),
        ({}, {"nWorkers": 20, "freeWorkers": 1, "jobQueueDepth": 3}, [OK]),
    ],
)
def test_limits(clients: dict[str, int], pool: dict[str, int], levels: list[str]) -> None:
    assert [one.level for one in judged("libvirtd", clients, pool)] == levels


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_stuck_is_not_waited_for(run_dir: Path, sockets: ExitStack) -> None:
    path = run_dir / "virtqemud-sock"
    listener(sockets, path)
    (one,) = await answers(reactor, "virtqemud (qemu)", "qemu", str(path), 0.3)
    assert (one.level, one.fix) == (ERROR, "systemctl status virtqemud.service; journalctl -u virtqemud.service")
    assert "did not answer within 0.3 s" in one.problem
    (one,) = await limits(reactor, "virtqemud", str(path), 0.3)
    assert (one.level, one.fix) == (ERROR, "systemctl restart virtqemud.service")


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_answers(run_dir: Path) -> None:
    daemon = DaemonProcess(run_dir, ["--config", str(configuration(run_dir))])
    path = str(run_dir / "libvirt-sock")
    deadline = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.05)
    (one,) = await answers(reactor, "virtproxyd (test)", "test", path, 10.0)
    assert one.level == OK, one
    assert one.problem.startswith("answers in ")
    (other,) = await answers(reactor, "virtproxyd (qemu)", "qemu", path, 10.0)
    assert other.level == ERROR
    daemon.stop()


def areas(monkeypatch: pytest.MonkeyPatch, **checks: Any) -> None:
    monkeypatch.setattr(doctor, "AREAS", checks)
    monkeypatch.setattr(doctor, "LIMIT", 0.2)


@pytest.mark.parametrize(("level", "status"), [(OK, 0), (WARNING, 4), (ERROR, 3)])
def test_the_exit_status_says_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, status: int
) -> None:
    found = [Finding(level, "thing", "is so", "mend it"), *([Finding(WARNING, "a", "b")] if level == ERROR else [])]
    areas(monkeypatch, one=lambda view: found)
    assert main(["doctor"]) == status
    assert f"{level}: thing: is so\n    mend it\n" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == status
    shown = json.loads(capsys.readouterr().out)
    assert shown["areas"]["one"][0] == {"level": level, "about": "thing", "problem": "is so", "fix": "mend it"}


def test_what_hangs_and_what_breaks_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(view: HostView) -> list[Finding]:
        raise ZeroDivisionError("nobody thought of it")

    areas(monkeypatch, hangs=lambda view: time.sleep(1.0), breaks=breaks)
    assert main(["doctor"]) == 4
    said = capsys.readouterr().out
    assert "warning: hangs: looking took more than 0.2 s and was given up" in said
    assert "warning: breaks: could not be looked at: ZeroDivisionError('nobody thought of it')" in said
    time.sleep(1.0)  # the thread that hangs must not outlive the test


def test_on_any_host_it_ends_and_is_understood() -> None:
    command = [sys.executable, "-W", "error", "-m", "virtproxy.cli.main", "doctor", "--json"]
    ended = subprocess.run(command, env=environment(Path("/")), capture_output=True, text=True, timeout=29)
    assert ended.stderr == ""
    assert ended.returncode in (0, 3, 4)
    assert list(json.loads(ended.stdout)["areas"]) == list(doctor.AREAS)


def test_an_area_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--only", "mode,weather"])
    assert ended.value.code == 2
    assert "weather is none of mode, sockets" in capsys.readouterr().err
