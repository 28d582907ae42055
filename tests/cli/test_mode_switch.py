# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy mode switch`` with a scripted systemctl: the order of the steps, failures in the middle, the way back."""

from __future__ import annotations

import copy
import json
import os
import socket
from pathlib import Path

import pytest

from tests.support.systemctl import ScriptedSystemctl, answer
from virtproxy.cli import doctor_settings, guests, mode_record, mode_view, systemctl
from virtproxy.cli.findings import ERROR, Finding
from virtproxy.cli.guests import Guest
from virtproxy.cli.main import main
from virtproxy.cli.mode_units import COMPANIONS, all_units, local_sockets, service
from virtproxy.cli.mode_view import Place

MODULAR = ("virtqemud", "virtnetworkd", "virtproxyd")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedSystemctl:
    """A host with libvirtd in use and some modular daemons installed; this process is root there."""
    scripted = ScriptedSystemctl(tmp_path)
    for name in ("libvirtd", *MODULAR):
        scripted.install(*all_units(name))
    scripted.install(*local_sockets("libvirtd"), *COMPANIONS, active="active", file="enabled")
    scripted.install(service("libvirtd"), active="active", file="enabled", also=" ".join(COMPANIONS))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(systemctl, "BOOTED", str(tmp_path))
    # The program itself is run by test_mode; a process for each of these calls would take long.
    monkeypatch.setattr(systemctl.Systemctl, "_call", lambda self, limit, *words: answer(tmp_path, words))
    monkeypatch.setattr(mode_record, "PATH", tmp_path / "state" / "mode.json")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(guests, "running", set)
    (tmp_path / "run").mkdir()
    (tmp_path / "lib").mkdir()
    for driver in ("qemu", "network", "storage"):
        (tmp_path / "lib" / f"libvirt_driver_{driver}.so").touch()
    monkeypatch.setattr(mode_view, "Place", lambda: Place(str(tmp_path / "run"), modules=(str(tmp_path / "lib"),)))
    monkeypatch.setattr(doctor_settings, "remote_faults", lambda name, transports: [])
    return scripted


def of(units: dict[str, dict[str, str]], name: str) -> tuple[str, str]:
    return units[name]["active"], units[name]["file"]


def test_the_documented_steps_in_order(host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mode", "switch", "modular"]) == 0
    libvirtd = "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
    services = " ".join(service(name) for name in ("virtqemud", "virtnetworkd", "virtproxyd"))
    sockets = " ".join(unit for name in ("virtqemud", "virtnetworkd", "virtproxyd") for unit in local_sockets(name))
    assert host.calls == [
        f"stop {libvirtd}",
        f"disable {libvirtd}",
        "enable virtlogd.socket virtlockd.socket",
        f"mask {libvirtd} libvirtd-tls.socket libvirtd-tcp.socket",
        f"enable {services} {sockets}",
        f"start {sockets}",
    ]
    after = host.read()
    assert of(after, "libvirtd.socket") == ("inactive", "masked")
    assert of(after, "virtqemud-ro.socket") == ("active", "enabled")
    assert of(after, "virtqemud.service") == ("inactive", "enabled")
    assert of(after, "virtproxyd-tls.socket") == ("inactive", "disabled")
    assert of(after, "virtlogd.socket") == ("active", "enabled")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("switching to modular daemons; virtproxy mode switch --undo puts back")
    assert said[1] == "  ok  stop    libvirtd.service libvirtd{,-ro,-admin}.socket"
    assert "  ok  guests left alone: none runs" in said


def test_twice_is_once(host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mode", "switch", "modular"]) == 0
    calls = len(host.calls)
    assert main(["mode", "switch", "modular"]) == 0
    assert len(host.calls) == calls
    assert capsys.readouterr().out.splitlines()[-1] == (
        "nothing to do: this host is modular already, now and after the next boot"
    )
    assert main(["mode", "switch", "--undo"]) == 0


def test_undo_puts_everything_back(host: ScriptedSystemctl) -> None:
    before = copy.deepcopy(host.read())
    assert main(["mode", "switch", "modular", "--remote", "tls,tcp"]) == 0
    assert of(host.read(), "virtproxyd-tcp.socket") == ("active", "enabled")
    assert main(["mode", "switch", "--undo"]) == 0
    after = host.read()
    assert {name: of(after, name) for name in after} == {name: of(before, name) for name in before}
    assert not mode_record.PATH.exists()


@pytest.mark.parametrize("verb", ["stop", "disable", "mask", "enable", "start"])
def test_undo_after_a_failure_in_the_middle(
    host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    before = copy.deepcopy(host.read())
    failing = "libvirtd-ro.socket" if verb in ("stop", "disable", "mask") else "virtnetworkd.socket"
    host.units[failing]["refuses"] = verb
    host.write()
    assert main(["mode", "switch", "modular"]) == 1
    said = capsys.readouterr().err
    assert f"did not do it for {failing}: Job for {failing} failed.; mend that" in said
    assert said.endswith("go back with virtproxy mode switch --undo\n")
    assert json.loads(mode_record.PATH.read_text())["finished"] is False
    # A second attempt that breaks off as well must not take the state in between for the one to go back to.
    assert main(["mode", "switch", "modular"]) == 1
    host.read()
    del host.units[failing]["refuses"]
    host.write()
    assert main(["mode", "switch", "--undo"]) == 0
    after = host.read()
    assert {name: of(after, name) for name in after} == {name: of(before, name) for name in before}


def test_there_and_back_by_two_switches(host: ScriptedSystemctl) -> None:
    assert main(["mode", "switch", "modular"]) == 0
    assert main(["mode", "switch", "monolithic", "--remote"]) == 0
    after = host.read()
    assert of(after, "libvirtd.socket") == of(after, "libvirtd-tls.socket") == ("active", "enabled")
    assert all(of(after, unit) == ("inactive", "masked") for name in MODULAR for unit in local_sockets(name))
    assert main(["mode", "switch", "--undo"]) == 0
    assert of(host.read(), "virtqemud.socket") == ("active", "enabled")


def test_a_socket_more_for_a_service_that_runs(host: ScriptedSystemctl) -> None:
    assert main(["mode", "switch", "modular"]) == 0
    host.read()
    host.install("virtproxyd.service", active="active", file="enabled")
    assert main(["mode", "switch", "modular", "--remote"]) == 0
    assert host.calls[-3:] == [
        "enable virtproxyd-tls.socket", "stop virtproxyd.service", "start virtproxyd-tls.socket",
    ]  # fmt: skip


def test_tls_without_certificates_is_refused_before_anything_changes(
    host: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = [Finding(ERROR, "certificates", "cert_file does not exist")]
    monkeypatch.setattr(doctor_settings, "remote_faults", lambda name, transports: missing)
    assert main(["mode", "switch", "modular", "--remote"]) == 1
    assert capsys.readouterr().err == (
        "virtproxy mode: virtproxyd could not serve remote clients, so nothing was changed: cert_file does not exist\n"
    )
    assert host.calls == []


def test_a_dry_run_changes_nothing(
    host: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    host.install("libvirtd-tls.socket", active="active", file="enabled")
    assert main(["mode", "switch", "modular", "--drivers", "qemu", "--dry-run"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("systemctl stop libvirtd.service libvirtd{,-ro,-admin,-tls}.socket    # ")
    assert shown[-2] == "# libvirtd listened for TLS clients; to serve them: --remote tls"
    assert shown[-1].startswith("# libvirtd served network, storage too, and nobody does after this")
    assert "systemctl enable virtlogd.socket virtlockd.socket" in shown[2]
    assert not [line for line in shown if "virtnetworkd" in line]
    assert host.calls == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "say modular or monolithic, or --undo"),
        (["modular", "--undo"], "say modular or monolithic, or --undo"),
        (["monolithic", "--drivers", "qemu"], "--drivers is for modular"),
        (["modular", "--drivers", "lxc"], "virtlxcd has no systemd units or no program on this host: install it first"),
        (["--undo"], "there is no switch to undo"),
        (["--undo", "--remote"], "--remote is not for --undo"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["mode", "switch", *arguments]) == 1
    assert capsys.readouterr().err.startswith(f"virtproxy mode: {sentence}")
    assert host.calls == []


def test_who_is_not_root_is_told(
    host: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["mode", "switch", "modular"]) == 1
    assert "needs root: use sudo" in capsys.readouterr().err


def test_no_hypervisor_would_be_left(host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str]) -> None:
    for unit in all_units("virtqemud"):
        host.units.pop(unit)
    host.write()
    assert main(["mode", "switch", "modular"]) == 1
    assert "no modular daemon of a hypervisor is installed" in capsys.readouterr().err
    assert main(["mode", "switch", "modular", "--drivers", "none"]) == 0
    assert "libvirtd served qemu, network, storage too, and nobody does after this" in capsys.readouterr().out


def test_guests_that_a_stop_would_kill(
    host: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guests, "running", lambda: {Guest(42, "7", "web", "0::/system.slice/libvirtd.service\n")})
    host.units["libvirtd.service"]["kill_mode"] = "control-group"
    host.write()
    assert main(["mode", "switch", "modular"]) == 1
    assert "KillMode=control-group: stopping it could kill web (process 42)" in capsys.readouterr().err
    host.units["libvirtd.service"]["kill_mode"] = "process"
    host.write()
    assert main(["mode", "switch", "modular"]) == 0
    assert "  ok  guests left alone: web (process 42)\n" in capsys.readouterr().out


def test_a_daemon_that_systemd_did_not_start(host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str]) -> None:
    for unit in all_units("libvirtd"):
        host.units[unit]["active"] = "inactive"
    host.units["virtqemud.socket"]["active"] = "active"
    host.write()
    path = host.directory / "run" / "virtnetworkd-sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert main(["mode", "switch", "monolithic"]) == 1
    assert capsys.readouterr().err == (
        f"virtproxy mode: virtnetworkd listens on {path}, but systemd did not start it: "
        "stop it first, nothing was changed\n"
    )
    assert host.calls == []


def test_a_unit_of_the_administrators_own_is_not_masked(host: ScriptedSystemctl) -> None:
    host.units["libvirtd.service"]["path"] = "/etc/systemd/system/libvirtd.service"
    host.write()
    assert main(["mode", "switch", "modular"]) == 0
    after = host.read()
    assert of(after, "libvirtd.service") == ("inactive", "disabled")
    assert of(after, "libvirtd.socket") == ("inactive", "masked")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2}', '{"version": 1, "target": 5}'])
def test_a_record_that_is_none(host: ScriptedSystemctl, capsys: pytest.CaptureFixture[str], text: str) -> None:
    mode_record.PATH.parent.mkdir()
    mode_record.PATH.write_text(text)
    assert main(["mode", "switch", "--undo"]) == 1
    assert f"{mode_record.PATH} is no record of a switch" in capsys.readouterr().err
