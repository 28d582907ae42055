# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools that need a kernel of their own, for real: logical volumes, NFS and iSCSI.

Each session of virsh commands runs twice on the same devices, with Debian's libvirtd and our virtstoraged, and must
look alike; what it did to the host is looked at besides.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import Target, run, service

MASKS = (
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\bunit:\d+:"), "unit:<host>:"),
    (re.compile(r"<(mtime|ctime|atime)>\d+\.\d+</"), r"<\1>time</"),
    (re.compile(r"[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}"), "<lvm uuid>"),
    (re.compile(r"storage\+unix:\S+"), "<uri>"),
    # Debian has programs under both names, and C looks there first.
    (re.compile(r"/usr/s?bin/|/s?bin/"), "<bin>/"),
)
CONFIG = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n'


class Host:
    """A storage daemon, and what was said by and to it so far."""

    def __init__(self, name: str, socket: Path) -> None:
        self.name = name
        self.uri = f"storage+unix:///system?socket={socket}"
        self.said: list[str] = []

    def virsh(self, command: str) -> str:
        """Run a virsh command; what it says is kept, masked, for the comparison."""
        output = run("virsh", "-c", self.uri, *command.split(), check=False)
        for pattern, mask in MASKS:
            output = pattern.sub(mask, output)
        # C ends what a program complained of with a newline more.
        self.said += [f"$ {command}", *(line for line in output.splitlines() if line)]
        return output


@contextmanager
def daemon(name: str, directory: Path) -> Iterator[Host]:
    """Debian's libvirtd or our virtstoraged, on an empty host."""
    run("rm", "-rf", "/etc/libvirt/storage", "/run/libvirt/storage")
    ours = name == "virtstoraged"
    command = (sys.executable, "-m", "virtproxy.cli.daemons", name) if ours else ("libvirtd",)
    socket = Path("/run/libvirt") / ("virtstoraged-sock" if ours else "libvirt-sock")
    socket.unlink(missing_ok=True)
    config = directory / f"{name}.conf"
    config.write_text(CONFIG)
    # libvirtd does not start without the user of its guests, which its other package makes.
    run("useradd", "--system", "--user-group", "libvirt-qemu", check=False)
    # Told to end, libvirtd takes half a minute to do it here.
    with service(*command, "-f", config, log=directory / f"{name}.log", ready=socket.exists, kill=not ours):
        host = Host(name, socket)
        try:
            yield host
        finally:
            # pytest shows it with a failure.
            print(f"{name}:", *host.said, sep="\n")


def alike(session: list[Host]) -> None:
    """What both daemons said must be the same."""
    theirs, ours = (host.said for host in session)
    difference = "\n".join(difflib.unified_diff(theirs, ours, "theirs", "ours", lineterm=""))
    assert not difference, difference


DAEMONS = ("libvirtd", "virtstoraged")


@pytest.mark.parametrize("names", [DAEMONS])
def test_a_logical_pool(names: tuple[str, str], disk: str, tmp_path: Path) -> None:
    session = []
    for name in names:
        with daemon(name, tmp_path) as host:
            session.append(host)
            host.virsh(f"pool-define-as vg logical --source-dev {disk} --source-name labvg --target /dev/labvg")
            host.virsh("pool-start vg")
            host.virsh("pool-build vg")
            assert "labvg" in run("vgs")
            for command in (
                "pool-start vg", "pool-dumpxml vg", "pool-info --bytes vg", "vol-list vg",
                "vol-create-as vg one 32M", "vol-create-as vg one 32M", "vol-create-as vg two 20M --allocation 20M",
                "vol-create-as vg big 1T", "vol-list vg --details", "vol-info --bytes one vg", "vol-dumpxml one vg",
                "vol-path two vg", "vol-key two vg", "vol-pool /dev/labvg/one", "pool-info --bytes vg",
            ):  # fmt: skip
                host.virsh(command)
            assert set(run("lvs", "--noheadings", "-o", "lv_name", "labvg").split()) == {"one", "two"}
            run("sh", "-c", f"echo data >{tmp_path}/data")
            for command in (
                f"vol-upload one {tmp_path}/data --pool vg", f"vol-download one {tmp_path}/back --pool vg --length 5",
                "vol-wipe two vg", "vol-resize two 40M --pool vg", "vol-clone one three --pool vg", "vol-list vg",
                "vol-delete one vg", "vol-delete one vg", "pool-refresh vg", "vol-list vg",
                "find-storage-pool-sources-as logical", "pool-autostart vg", "pool-destroy vg", "vol-list vg",
                "pool-start vg", "vol-list vg", "vol-delete two vg", "vol-delete three vg", "pool-delete vg",
                "pool-destroy vg", "pool-delete vg", "pool-undefine vg", "pool-list --all",
            ):  # fmt: skip
                host.virsh(command)
            assert (tmp_path / "back").read_text() == "data\n"
            assert "labvg" not in run("vgs")
            run("wipefs", "--all", disk)
    alike(session)


@pytest.mark.parametrize("names", [DAEMONS])
def test_a_pool_on_nfs(names: tuple[str, str], nfs_export: str, tmp_path: Path) -> None:
    session = []
    target = tmp_path / "target"
    for name in names:
        with daemon(name, tmp_path) as host:
            session.append(host)
            source = f"--source-host 127.0.0.1 --source-path {nfs_export} --source-format nfs"
            host.virsh(f"pool-define-as nfs netfs {source} --target {target}")
            host.virsh("pool-start nfs")
            host.virsh("pool-build nfs")
            host.virsh("pool-start nfs")
            assert run("findmnt", "-n", "-o", "SOURCE", target).strip() == f"127.0.0.1:{nfs_export}"
            for command in (
                "pool-dumpxml nfs", "vol-create-as nfs one 1M", "vol-create-as nfs two 2M --format qcow2",
                "vol-list nfs", "vol-info --bytes one nfs", "vol-dumpxml one nfs", "vol-path two nfs",
            ):  # fmt: skip
                host.virsh(command)
            assert (Path(nfs_export) / "one").stat().st_size == 1 << 20
            for command in (
                "vol-delete one nfs", "vol-delete two nfs", "pool-refresh nfs", "vol-list nfs",
                "find-storage-pool-sources-as netfs 127.0.0.1", "pool-destroy nfs", "pool-destroy nfs",
            ):  # fmt: skip
                host.virsh(command)
            assert run("findmnt", target, check=False) == ""
            host.virsh("pool-delete nfs")
            host.virsh("pool-undefine nfs")
            assert not any(Path(nfs_export).glob("*o*"))
    alike(session)


@pytest.mark.parametrize("names", [DAEMONS])
def test_an_iscsi_pool(names: tuple[str, str], iscsi_target: Target, tmp_path: Path) -> None:
    session = []
    for name in names:
        with daemon(name, tmp_path) as host:
            session.append(host)
            source = f"--source-host {iscsi_target.portal} --source-dev {iscsi_target.name}"
            host.virsh(f"pool-define-as target iscsi {source} --target /dev/disk/by-path")
            host.virsh(f"find-storage-pool-sources-as iscsi {iscsi_target.portal}")
            host.virsh("pool-start target")
            assert iscsi_target.name in run("iscsiadm", "--mode", "session")
            listed = host.virsh("vol-list target")
            assert f"iscsi-{iscsi_target.name}-lun-1" in listed
            unit = next(word for word in run("virsh", "-c", host.uri, "vol-list", "target").split() if ":0:" in word)
            for command in (
                "pool-dumpxml target", "pool-info --bytes target", "vol-create-as target new 1M", "pool-refresh target",
                "pool-build target", "pool-delete target",
            ):  # fmt: skip
                host.virsh(command)
            path = run("virsh", "-c", host.uri, "vol-path", unit, "target").strip()
            assert run("blockdev", "--getsize64", path).strip() == str(64 << 20)
            host.virsh("pool-destroy target")
            assert iscsi_target.name not in run("iscsiadm", "--mode", "session", check=False)
            host.virsh("pool-undefine target")
    alike(session)
