# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units: what libvirt's say, what ours say beside it, and that systemd takes them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from virtproxy.daemon.catalogue import ROWS, Row
from virtproxy.daemon.sandbox import sandbox
from virtproxy.daemon.units import socket_unit, units

DRIVERS = [row for row in ROWS.values() if not row.listens_on_network]


def directives(text: str) -> list[tuple[str, str, str]]:
    """Every line of a unit with its section."""
    found, section = [], ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.append((section, name, value))
    return found


@pytest.mark.programs("systemd-analyze")
def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    programs, files = tmp_path / "bin", []
    programs.mkdir()
    for row in ROWS.values():
        os.symlink("/bin/true", programs / row.name)
        for name, text in units(row, str(programs)).items():
            (tmp_path / name).write_text(text)
            files.append(str(tmp_path / name))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    # What verify says of a line it does not know is what makes silence mean something.
    service = tmp_path / "virtproxyd.service"
    service.write_text(service.read_text().replace("ProtectSystem=strict", "ProtectSystems=strict"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(service)], capture_output=True, text=True)
    assert "ProtectSystems" in done.stderr


# What systemd says a service lays open, from 0 to 10; Debian's own libvirtd.service is at 9.6. Whoever starts guests
# hands them all it has itself.
EXPOSURE = {
    "virtsecretd": 2.0, "virtproxyd": 3.5, "virtnwfilterd": 4.0, "virtinterfaced": 7.0, "virtnetworkd": 7.6,
    "virtnodedevd": 8.3, "virtstoraged": 8.7, "libvirtd": 9.6, "virtqemud": 9.6, "virtlxcd": 9.6, "virtxend": 9.6,
    "virtvboxd": 9.6, "virtbhyved": 9.6,
}  # fmt: skip


@pytest.mark.programs("systemd-analyze")
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_systemd_finds_every_daemon_shut_in_as_far_as_its_work_allows(row: Row, tmp_path: Path) -> None:
    service = tmp_path / f"{row.name}.service"
    service.write_text(units(row, "/bin")[service.name])
    command = ["systemd-analyze", "--no-pager", "security", "--offline=true", str(service)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(rf"exposure level for {row.name}.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE[row.name]


def test_a_proxy_takes_the_place_of_libvirtd() -> None:
    made = units(ROWS["virtproxyd"])
    assert set(made) == {
        "virtproxyd.service",
        *(f"virtproxyd{suffix}.socket" for suffix in ("", "-ro", "-admin", "-tcp", "-tls")),
    }
    for suffix, address, mode in (
        ("", "/run/libvirt/libvirt-sock", "0600"),
        ("-ro", "/run/libvirt/libvirt-sock-ro", "0666"),
        ("-admin", "/run/libvirt/libvirt-admin-sock", "0600"),
    ):
        lines = directives(made[f"virtproxyd{suffix}.socket"])
        assert ("Socket", "ListenStream", address) in lines
        assert ("Socket", "SocketMode", mode) in lines
        assert ("Socket", "RemoveOnStop", "yes") in lines
        assert ("Unit", "Conflicts", f"libvirtd{suffix}.socket") in lines
    for kind, port in (("tcp", "16509"), ("tls", "16514")):
        lines = directives(made[f"virtproxyd-{kind}.socket"])
        assert ("Socket", "ListenStream", port) in lines
        assert ("Unit", "BindsTo", "virtproxyd.socket") in lines
        assert not [line for line in lines if line[1] in {"SocketMode", "Also"}]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_service_is_run_as_systemd_wants_it(row: Row) -> None:
    lines = directives(units(row)[f"{row.name}.service"])
    variable = f"{row.name.upper()}_ARGS"
    for name, value in (
        ("Type", "notify"),
        ("NotifyAccess", "main"),
        ("WatchdogSec", "60"),
        ("Environment", f'{variable}="--timeout 120"'),
        ("EnvironmentFile", f"-/etc/sysconfig/{row.name}"),
        ("EnvironmentFile", f"-/etc/default/{row.name}"),
        ("ExecStart", f"/usr/sbin/{row.name} ${variable}"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("LimitNOFILE", "1024:524288"),
    ):
        assert lines.count(("Service", name, value)) == 1
    main = socket_unit(row, "rw")
    assert ("Unit", "Wants" if row.name == "libvirtd" else "BindsTo", main) in lines
    assert (("Unit", "Conflicts", "libvirtd.service") in lines) == (row.name != "libvirtd")


@pytest.mark.parametrize("row", DRIVERS, ids=lambda row: row.name)
def test_a_driver_has_no_ports_and_sockets_of_its_own_name(row: Row) -> None:
    made = units(row)
    assert set(made) == {f"{row.name}.service", *(f"{row.name}{suffix}.socket" for suffix in ("", "-ro", "-admin"))}
    assert ("Socket", "ListenStream", f"/run/libvirt/{row.name}-sock") in directives(made[f"{row.name}.socket"])


def test_what_makes_mounts_for_the_host_has_no_mounts_of_its_own() -> None:
    own_mounts = ("Private", "ProtectSystem", "ProtectHome", "ProtectKernel", "ProtectControl", "ReadWrite", "ReadOnly")
    for name in ("virtstoraged", "virtqemud", "virtlxcd", "libvirtd"):
        assert not [line for line in sandbox(ROWS[name]) if line.startswith(own_mounts)]


def test_xen_waits_for_xen_with_its_sockets_too() -> None:
    for text in units(ROWS["virtxend"]).values():
        assert ("Unit", "ConditionPathExists", "/proc/xen/capabilities") in directives(text)
