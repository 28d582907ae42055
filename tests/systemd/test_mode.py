# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy mode`` and ``virtproxy doctor`` on a Debian with its own libvirtd, a guest that runs, and our packages.

Debian has no modular daemons of libvirt's. So its libvirtd stands in for virtqemud here: the same program under that
name, with units as libvirt's own and virtqemud's sockets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.nspawn import Container
from virtproxy.cli.mode_units import COMPANIONS, all_units, local_sockets, remote_sockets
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.units import units

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(600)]

GUEST = """<domain type="qemu"><name>web</name><memory unit="MiB">64</memory><vcpu>1</vcpu>
<os><type arch="x86_64" machine="pc">hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<serial type="pty"/><memballoon model="none"/><controller type="usb" model="none"/></devices></domain>"""
MODULAR = ("virtqemud", "virtproxyd")
UNITS = (*all_units("libvirtd"), *(unit for name in MODULAR for unit in all_units(name)), *COMPANIONS)


def stand_in(name: str, text: str) -> str:
    """A unit of virtqemud's for a program that looks for its sockets under libvirtd's units' names."""
    changes = {
        "[Socket]\n": f"[Socket]\nFileDescriptorName={name.replace('virtqemud', 'libvirtd')}\n",
        "WatchdogSec=60\n": "",
        "/virtqemud $": "/virtqemud --config /etc/libvirt/virtqemud.conf --pid-file /run/virtqemud.pid $",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def guest_host(beside: Container) -> Container:
    """The host, with virtqemud's stand-in and a guest that libvirtd started."""
    beside.install("qemu-system-x86")
    for name, text in units(ROWS["virtqemud"]).items():
        beside.write(f"/usr/lib/systemd/system/{name}", stand_in(name, text))
    beside.write("/etc/libvirt/virtqemud.conf", "# as it comes\n")
    beside.write("/tmp/web.xml", GUEST)
    # A container may not make control groups for its guests.
    beside.sh(
        "ln -s libvirtd /usr/sbin/virtqemud; echo 'cgroup_controllers = []' >>/etc/libvirt/qemu.conf;"
        "systemctl daemon-reload; systemctl restart libvirtd; virsh -c qemu:///system define /tmp/web.xml"
    )
    return beside


@pytest.fixture
def host(guest_host: Container) -> Iterator[Container]:
    """The host as it was before any switch, with its guest running."""
    guest_host.sh("virsh -c qemu:///system start web || true")
    yield guest_host
    if guest_host.run("test", "-e", "/var/lib/libvirt/virtproxy/mode.json", check=False).returncode == 0:
        guest_host.run("virtproxy", "mode", "switch", "--undo")


def table(host: Container) -> dict[str, tuple[str, str]]:
    """What systemd says of every unit: whether it is active, whether it is enabled."""
    shown = host.run("systemctl", "show", "--property=ActiveState,UnitFileState", *UNITS).stdout
    blocks = [dict(line.split("=") for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    return {unit: (one["ActiveState"], one["UnitFileState"]) for unit, one in zip(UNITS, blocks, strict=True)}


def mode(host: Container) -> tuple[str, str]:
    shown = json.loads(host.run("virtproxy", "mode", "--json", check=False).stdout)["mode"]
    return shown["now"], shown["boot"]


def guest(host: Container) -> str:
    """The guest's process, which must be the same from the beginning to the end."""
    return host.run("pgrep", "-f", "guest=web").stdout


def test_to_the_modular_daemons_and_back(host: Container) -> None:
    before, process = table(host), guest(host)
    assert mode(host) == ("monolithic", "monolithic")
    said = host.run("virtproxy", "mode", "switch", "modular").stdout
    assert f"guests left alone: web (process {process.strip()})" in said
    after = table(host)
    assert {after[unit] for unit in all_units("libvirtd")} == {("inactive", "masked")}
    sockets = [unit for name in MODULAR for unit in local_sockets(name)]
    assert {after[unit] for unit in sockets} == {("active", "enabled")}
    # The services are started by their first clients.
    assert {after[f"{name}.service"] for name in MODULAR} == {("inactive", "enabled")}
    assert {after[unit] for unit in remote_sockets("virtproxyd")} == {("inactive", "disabled")}
    assert {after[unit][1] for unit in COMPANIONS} == {"enabled"}
    assert mode(host) == ("modular", "modular")
    assert " web " in host.sh("virsh -c qemu:///system list")
    assert " web " in host.sh("virsh -c 'qemu+unix:///system?mode=legacy' list")
    assert " test " in host.sh("virsh -c 'test+unix:///default' list")
    assert host.state("is-active", "virtqemud.service", "virtproxyd.service") == "active\nactive"
    assert host.run("virtproxy", "mode", "switch", "modular").stdout.startswith("nothing to do")
    host.run("virtproxy", "mode", "switch", "--undo")
    assert table(host) == before
    assert " web " in host.sh("virsh -c qemu:///system list")
    assert guest(host) == process


def test_the_commands_of_a_dry_run_do_the_same(host: Container) -> None:
    before = table(host)
    commands = host.run("virtproxy", "mode", "switch", "modular", "--dry-run").stdout
    assert table(host) == before
    host.run("virtproxy", "mode", "switch", "modular")
    switched = table(host)
    host.run("virtproxy", "mode", "switch", "--undo")
    host.sh(f"set -e\n{commands}")
    assert table(host) == switched
    # Nothing is recorded of what was done by hand; the other direction leads back.
    host.run("virtproxy", "mode", "switch", "monolithic")
    assert mode(host) == ("monolithic", "monolithic")
    assert {table(host)[unit] for unit in remote_sockets("libvirtd")} == {("inactive", "masked")}
    masked = [*remote_sockets("libvirtd"), *(unit for name in MODULAR for unit in all_units(name))]
    host.run("systemctl", "unmask", *masked)
    host.run("systemctl", "start", "libvirtd.service")
    host.run("rm", "/var/lib/libvirt/virtproxy/mode.json")
    assert table(host) == before


def test_a_failure_in_the_middle_is_undone(host: Container) -> None:
    before, process = table(host), guest(host)
    host.write("/etc/systemd/system/virtproxyd.socket.d/fails.conf", "[Socket]\nExecStartPre=/bin/false\n")
    host.run("systemctl", "daemon-reload")
    failed = host.run("virtproxy", "mode", "switch", "modular", check=False)
    assert failed.returncode == 1
    assert "did not do it for virtproxyd.socket" in failed.stdout
    assert "go back with virtproxy mode switch --undo" in failed.stdout
    host.run("rm", "-r", "/etc/systemd/system/virtproxyd.socket.d")
    host.run("systemctl", "daemon-reload")
    host.run("virtproxy", "mode", "switch", "--undo")
    host.run("systemctl", "reset-failed")
    assert table(host) == before
    assert guest(host) == process


def test_a_mixture_is_noticed(host: Container) -> None:
    host.run("systemctl", "enable", "virtqemud.socket")
    seen = host.run("virtproxy", "mode", check=False)
    assert seen.returncode == 3
    assert "are both enabled" in seen.stdout
    host.run("systemctl", "disable", "virtqemud.service", *local_sockets("virtqemud"))
    assert host.run("virtproxy", "mode").returncode == 0


def test_tls_needs_certificates_first(host: Container) -> None:
    before = table(host)
    refused = host.run("virtproxy", "mode", "switch", "modular", "--remote", check=False)
    assert refused.returncode == 1
    assert "could not serve remote clients, so nothing was changed: ca_file" in refused.stdout
    assert table(host) == before
    name = host.sh("hostname").strip()
    host.sh(f"cd /root && virtproxy pki init && virtproxy pki server --host {name} && virtproxy pki install server")
    host.run("virtproxy", "mode", "switch", "modular", "--remote")
    assert table(host)["virtproxyd-tls.socket"] == ("active", "enabled")
    assert host.run("virtproxy", "doctor", "--only", "certificates", check=False).returncode in (0, 4)


def test_doctor_in_both_modes(host: Container) -> None:
    for _ in range(2):
        shown = host.run("virtproxy", "doctor", "--json", check=False).stdout
        assert json.loads(shown)["errors"] == 0, shown
        host.run("virtproxy", "mode", "switch", "modular")
    # What a crash leaves behind.
    host.sh("systemctl stop virtqemud.service virtqemud.socket")
    host.sh("cp -a /run/libvirt/libvirt-sock /run/libvirt/virtqemud-sock")
    seen = host.run("virtproxy", "doctor", "--only", "sockets", check=False)
    assert seen.returncode == 3
    assert "/run/libvirt/virtqemud-sock: is left over from a daemon that is gone" in seen.stdout
    host.sh(next(line.strip() for line in seen.stdout.splitlines() if line.startswith("    rm ")))
    assert host.run("virtproxy", "doctor", "--only", "sockets").returncode == 0


def test_doctor_asks_polkit(host: Container) -> None:
    host.install("python3-jeepney")
    seen = host.run("virtproxy", "doctor", "--only", "daemons").stdout
    assert "ok: polkit: answers and knows libvirt's actions (asked by libvirtd)" in seen
    host.run("systemctl", "mask", "--now", "polkit.service")
    failed = host.run("virtproxy", "doctor", "--only", "daemons", check=False)
    host.run("systemctl", "unmask", "polkit.service")
    assert failed.returncode == 3
    assert "error: polkit: does not answer, and libvirtd cannot do without" in failed.stdout


def test_doctor_as_anybody(host: Container) -> None:
    nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
    seen = host.sh(f"{nobody} virtproxy doctor", check=False)
    assert "Traceback" not in seen
    assert "unseen: sockets: only root sees" in seen
    refused = host.sh(f"{nobody} virtproxy mode switch modular", check=False)
    assert "needs root" in refused


def test_the_next_boot_is_as_it_was_foretold(host: Container) -> None:
    host.run("virtproxy", "mode", "switch", "modular")
    host.reboot()
    assert mode(host) == ("modular", "modular")
    after = table(host)
    assert {after[unit] for name in MODULAR for unit in local_sockets(name)} == {("active", "enabled")}
    assert {after[unit] for unit in all_units("libvirtd")} == {("inactive", "masked")}
    # Undone after a boot as well: the record is on disk.
    host.run("virtproxy", "mode", "switch", "--undo")
    host.reboot()
    assert mode(host) == ("monolithic", "monolithic")
