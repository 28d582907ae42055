# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy mode``: what it says of a table of systemd's answers, and of hosts without systemd."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.systemctl import ScriptedSystemctl
from virtproxy.cli import mode, mode_mixtures, mode_view, systemctl
from virtproxy.cli.main import main
from virtproxy.cli.mode_units import all_units, local_sockets, remote_sockets, service
from virtproxy.cli.mode_view import HostView, Place
from virtproxy.cli.systemctl import Systemctl
from virtproxy.daemon.paths import SYSTEM


@pytest.fixture
def units(tmp_path: Path) -> ScriptedSystemctl:
    """systemd with libvirtd's and the modular daemons' units, none in use."""
    scripted = ScriptedSystemctl(tmp_path)
    for name in ("libvirtd", "virtproxyd", "virtqemud", "virtnetworkd"):
        scripted.install(*all_units(name))
    return scripted


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A host on whose sockets nobody listens."""
    run = tmp_path / "run"
    run.mkdir()
    return Place(str(run), modules=())


def view(units: ScriptedSystemctl, place: Place) -> HostView:
    return mode_view.look(Systemctl(str(units.directory / "systemctl")), place)


def levels(of: HostView) -> list[tuple[str, str]]:
    return [(one.level, one.about) for one in mode_mixtures.mixtures(of)]


@pytest.mark.parametrize(
    ("active", "enabled", "now", "boot"),
    [
        (["libvirtd.service"], ["libvirtd.service"], "monolithic", "monolithic"),
        (["libvirtd.socket"], ["libvirtd.socket"], "monolithic", "monolithic"),
        (["virtqemud.socket", "virtnetworkd.socket"], ["libvirtd.socket"], "modular", "monolithic"),
        (["virtqemud.socket", "libvirtd.service"], [], "both", "none"),
        (["virtproxyd.socket"], ["virtqemud.socket", "libvirtd-tls.socket"], "none", "both"),
        ([], [], "none", "none"),
    ],
)
def test_what_serves_a_driver(
    units: ScriptedSystemctl, place: Place, active: list[str], enabled: list[str], now: str, boot: str
) -> None:
    for name in active:
        units.units[name]["active"] = "active"
    for name in enabled:
        units.units[name]["file"] = "enabled"
    units.write()
    seen = view(units, place)
    assert (seen.driver("qemu", boot=False), seen.driver("qemu", boot=True)) == (now, boot)


def test_a_service_enabled_for_this_run_only_is_gone_after_the_boot(units: ScriptedSystemctl, place: Place) -> None:
    units.install(*all_units("virtqemud"), active="active", file="enabled-runtime")
    seen = view(units, place)
    assert (seen.mode(boot=False), seen.mode(boot=True)) == ("modular", "none")
    assert ("warning", "next boot") in levels(seen)


def test_libvirtd_and_a_modular_daemon_shadow_each_other(units: ScriptedSystemctl, place: Place) -> None:
    units.install("libvirtd.socket", "virtqemud.socket", active="active", file="enabled")
    seen = view(units, place)
    assert (seen.mode(boot=False), seen.mode(boot=True)) == ("mixed", "mixed")
    found = mode_mixtures.mixtures(seen)
    assert [(one.level, one.about) for one in found[:1]] == [("error", "now")]
    assert "a client of this host reaches its driver's own daemon" in found[0].problem
    assert [one.fix for one in found if one.about == "next boot"] == [
        "virtproxy mode switch modular, or virtproxy mode switch monolithic"
    ]


def test_a_socket_that_starts_a_masked_service(units: ScriptedSystemctl, place: Place) -> None:
    units.install("virtqemud.socket", active="active", file="enabled")
    units.install("virtqemud.service", file="masked")
    assert ("error", "virtqemud") in levels(view(units, place))


def test_a_daemon_that_failed(units: ScriptedSystemctl, place: Place) -> None:
    units.install(*local_sockets("virtqemud"), active="failed", file="enabled")
    (one, *_) = mode_mixtures.mixtures(view(units, place))
    assert one.fix == (
        "systemctl reset-failed virtqemud.socket virtqemud-ro.socket virtqemud-admin.socket"
        " && systemctl start virtqemud.socket virtqemud-ro.socket virtqemud-admin.socket"
    )


def test_a_hypervisor_without_the_network(units: ScriptedSystemctl, place: Place) -> None:
    units.install(*local_sockets("virtqemud"), active="active", file="enabled")
    (one,) = mode_mixtures.mixtures(view(units, place))
    assert one.problem.startswith("virtqemud runs without virtnetworkd")
    assert one.fix == "systemctl enable --now virtnetworkd.socket"


def test_tls_without_the_socket_it_depends_on(units: ScriptedSystemctl, place: Place) -> None:
    units.install(*remote_sockets("virtproxyd"), file="enabled")
    assert levels(view(units, place)) == [("warning", "next boot")]


def test_only_the_drivers_that_libvirtd_can_load(units: ScriptedSystemctl, place: Place, tmp_path: Path) -> None:
    (tmp_path / "libvirt_driver_libxl.so").touch()
    units.install(service("libvirtd"), active="active", file="enabled")
    seen = view(units, Place(place.run_dir, modules=(str(tmp_path),)))
    assert (seen.driver("xen", boot=False), seen.driver("qemu", boot=False)) == ("monolithic", "none")
    assert seen.drivers() == ["qemu", "xen", "network"]


def test_without_systemd_the_sockets_tell(place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{place.run_dir}/virtqemud-sock")
        listener.listen()
        seen = mode_view.look(None, place)
    assert (seen.mode(boot=False), seen.mode(boot=True)) == ("modular", "unknown")
    assert seen.daemons["virtqemud"].why == f"listens on {place.run_dir}/virtqemud-sock"


def test_a_socket_file_that_nobody_listens_on_counts_for_nothing(place: Place) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(f"{place.run_dir}/virtqemud-sock")
    assert mode_view.look(None, place).mode(boot=False) == "none"


def test_for_people_and_for_scripts(
    units: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    units.install(*all_units("libvirtd"), active="active", file="enabled")
    monkeypatch.setenv("PATH", f"{units.directory}:/usr/bin:/bin")
    monkeypatch.setattr(systemctl, "BOOTED", str(units.directory))
    monkeypatch.setattr(mode_view, "Place", lambda: Place(str(units.directory), modules=()))
    assert main(["mode", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["mode"] == {"now": "monolithic", "boot": "monolithic"}
    assert shown["drivers"]["network"] == {"now": "monolithic", "boot": "monolithic"}
    assert shown["daemons"]["libvirtd"]["why"] == "libvirtd.service is active"
    assert main(["mode"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["qemu", "libvirtd", "libvirtd"] in [line.split() for line in lines]
    units.install("virtqemud.socket", active="active", file="enabled")
    assert main(["mode"]) == 3


def test_drivers_that_virtproxyd_finds_elsewhere(
    units: ScriptedSystemctl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    units.install(*all_units("virtproxyd"), active="active", file="enabled")
    monkeypatch.setenv("PATH", f"{units.directory}:/usr/bin:/bin")
    monkeypatch.setattr(systemctl, "BOOTED", str(units.directory))
    monkeypatch.setattr(mode_view, "Place", lambda: Place(str(units.directory), modules=()))
    monkeypatch.setattr(mode, "SYSTEM", replace(SYSTEM, config_dir=str(tmp_path)))
    config = tmp_path / "virtproxyd.conf"
    config.write_text('backend_sockets = ["qemu=/run/behind/libvirt-sock"]\n')
    assert main(["mode", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend_sockets"] == {"qemu": "/run/behind/libvirt-sock"}
    assert main(["mode"]) == 0
    assert "virtproxyd passes it on to /run/behind/libvirt-sock (backend_sockets)" in capsys.readouterr().out
    config.write_text("backend_sockets = nonsense\n")
    assert main(["mode", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend_sockets"] == {}


def test_systemd_that_does_not_answer_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(systemctl, "BOOTED", str(tmp_path))
    assert main(["mode"]) == 1
    assert capsys.readouterr().err == (
        "virtproxy mode: systemd does not say what its units do: Failed to connect to bus\n"
    )
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(systemctl, "ASK_LIMIT", 0.2)
    assert main(["mode"]) == 1
    assert "did not end within 0.2 s" in capsys.readouterr().err
