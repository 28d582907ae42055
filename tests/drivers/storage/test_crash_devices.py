# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtstoraged is ended by kill -9 around each program that changes a device; the next one tells the truth.

The programs are the real ones, each behind a script that stops before or after it: the daemon surely dies there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.drivers.storage.test_crash import SOCKET, URI, virsh
from tests.drivers.storage.test_devices import DISK, FS
from tests.support.lab import INSIDE, Daemon, Lab, lab, wait_until

pytestmark = [
    pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(120),
    pytest.mark.programs("virsh", "parted", "losetup", "mkfs.ext4"),
]  # fmt: skip

STOPPED = """#!/bin/sh
# $0 with the words that change something: stops where the file "stop" says.
case " $* " in {words}) stop=$(cat /run/lab/stop 2>/dev/null) ;; *) stop= ;; esac
if [ "$stop" = before ]; then touch /run/lab/begun; exec sleep 100; fi
{program} "$@" || exit
if [ "$stop" = after ]; then touch /run/lab/begun; exec sleep 100; fi
"""
CHANGES = {"mount": "*", "umount": "*", "mkfs": "*", "parted": "*' mkpart '*|*' rm '*|*' mklabel '*"}
MOMENTS = ("before", "after")


class Host:
    """A host with a device of 64 MiB, whose daemon finds programs that can be stopped."""

    def __init__(self, made: Lab, loop: str) -> None:
        self.lab, self.loop = made, loop
        self.daemon: Daemon
        programs = made.directory / "bin"
        programs.mkdir()
        for name, words in CHANGES.items():
            program = made.run("which", name).stdout.strip()
            (programs / name).write_text(STOPPED.format(words=words, program=program))
            (programs / name).chmod(0o755)
        made.write("fs.xml", FS.format(loop=loop, format="ext4"))
        made.write("disk.xml", DISK.format(loop=loop, format="gpt"))
        self.start()

    def start(self) -> None:
        """Start the daemon and wait until it listens."""
        config = self.lab.write("virtstoraged.conf", 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        command = (sys.executable, "-m", "virtproxy.cli.daemons", "virtstoraged", "-f", config)
        path = f"{INSIDE}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.daemon = self.lab.spawn("virtstoraged", *command, env={"PATH": path})
        self.lab.wait_for_socket(self.daemon, SOCKET)

    def virsh(self, line: str) -> str:
        """What a command prints; it must succeed."""
        return virsh(self.lab, *line.split())

    def dies(self, line: str, moment: str) -> None:
        """Have the daemon killed before or after the program that the command runs, and start it again."""
        begun = self.lab.directory / "begun"
        begun.unlink(missing_ok=True)
        self.lab.write("stop", moment)
        doing = self.lab.popen(
            "virsh", "-q", "-c", URI, *line.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_until(begun.exists, f"{line}, {moment}")
        self.daemon.kill()
        doing.communicate(timeout=30)
        assert doing.returncode != 0
        (self.lab.directory / "stop").unlink()
        self.start()

    def mounted(self) -> bool:
        """Whether the pool's file system is."""
        return f" {INSIDE}/mnt " in self.lab.run("cat", "/proc/mounts").stdout

    def active(self) -> bool:
        """Whether the daemon says that the pool runs."""
        return "running" in self.virsh("pool-info f")

    def partitions(self) -> list[str]:
        """What parted finds on the disk."""
        lines = self.lab.run("parted", "-s", "-m", self.loop, "print").stdout.splitlines()[2:]
        return [f"{self.loop.removeprefix('/dev/')}p{line.split(':')[0]}" for line in lines]

    def volumes(self) -> list[str]:
        """What the daemon shows."""
        return [line.split()[0] for line in self.virsh("vol-list d").splitlines()]


@pytest.fixture
def host() -> Iterator[Host]:
    with lab() as made:
        run = made.run
        run("mkdir", "-p", "/run/lab/mnt")
        run("mount", "-t", "devtmpfs", "none", "/dev")
        run("truncate", "-s", "64M", "/run/lab/disk")
        loop = run("losetup", "-f", "--show", "-P", "/run/lab/disk").stdout.strip()
        try:
            yield Host(made, loop)
        finally:
            run("umount", "/run/lab/mnt", check=False)
            run("losetup", "-d", loop)


def test_a_file_system_is_active_if_it_is_mounted(host: Host) -> None:
    host.virsh(f"pool-define {INSIDE}/fs.xml")
    for moment in MOMENTS:
        host.dies("pool-build f --overwrite", moment)
        assert not host.active()
    host.virsh("pool-build f --overwrite")
    for moment in MOMENTS:
        host.dies("pool-start f", moment)
        assert host.active() == host.mounted() == (moment == "after")
        if moment == "before":
            host.virsh("pool-start f")
        host.virsh("vol-create-as f kept-" + moment + " 1M")
        host.dies("pool-destroy f", moment)
        assert host.active() == host.mounted() == (moment == "before")
        if moment == "before":
            host.virsh("pool-destroy f")
        assert not host.mounted()
    host.virsh("pool-start f")
    assert {line.split()[0] for line in host.virsh("vol-list f").splitlines()} >= {"kept-before", "kept-after"}


def test_partitions_are_those_of_the_disk(host: Host) -> None:
    host.virsh(f"pool-define {INSIDE}/disk.xml")
    for moment in MOMENTS:
        host.dies("pool-build d --overwrite", moment)
    host.virsh("pool-build d --overwrite")
    host.virsh("pool-start d")
    name = f"{host.loop.removeprefix('/dev/')}p1"
    for moment in MOMENTS:
        host.dies(f"vol-create-as d {name} 10M", moment)
        assert host.volumes() == host.partitions() == ([name] if moment == "after" else [])
        if moment == "before":
            host.virsh(f"vol-create-as d {name} 10M")
        host.dies(f"vol-delete {name} d", moment)
        assert host.volumes() == host.partitions() == ([name] if moment == "before" else [])
        if moment == "before":
            host.virsh(f"vol-delete {name} d")
    host.virsh(f"vol-create-as d {name} 20M")
    assert host.volumes() == host.partitions() == [name]
