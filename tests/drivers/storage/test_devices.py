# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools on a device: a file system that is made and mounted, a disk with partitions; beside libvirt 9.0.0, and alone
where libvirt cannot do it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.drivers.storage.test_against_libvirt import Server, ours, theirs

pytestmark = [
    pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(120),
    pytest.mark.programs("virsh", "parted", "losetup", "mkfs.ext4"),
]  # fmt: skip

FS = (
    "<pool type='fs'><name>f</name><uuid>11111111-2222-3333-4444-555555555557</uuid><source><device path='{loop}'/>"
    "<format type='{format}'/></source><target><path>/run/lab/mnt</path></target></pool>"
)
DISK = (
    "<pool type='disk'><name>d</name><uuid>11111111-2222-3333-4444-555555555556</uuid><source><device path='{loop}'/>"
    "<format type='{format}'/></source><target><path>/dev</path></target></pool>"
)
FILE_SYSTEM = [
    "pool-define {auto}", "pool-dumpxml f", "pool-start f", "pool-build f --overwrite", "pool-define {ext4}",
    "pool-build f", "pool-build f --no-overwrite", "pool-build f --no-overwrite", "pool-build f --overwrite",
    "pool-start f", "pool-start f", "pool-dumpxml f", "vol-create-as f x 1M", "vol-list f --details",
    "vol-create-as f big 900M --allocation 0", "vol-create-as f toobig 900M", "pool-undefine f",
    "pool-build f --overwrite", "pool-delete f", "pool-destroy f", "pool-destroy f", "pool-delete f", "pool-undefine f",
]  # fmt: skip
DISK_BOTH = [
    "pool-define {gpt}", "pool-start d", "pool-build d", "pool-build d", "pool-build d --overwrite", "pool-start d",
    "pool-dumpxml d", "vol-create-as d {name}p1 10M", "vol-create-as d {name}p1 10M",
    "vol-list d --details", "vol-dumpxml {name}p1 d", "vol-wipe {name}p1 d", "vol-resize {name}p1 5M d",
    "vol-create-as d bar 100M", "pool-refresh d", "pool-dumpxml d", "pool-undefine d", "pool-destroy d",
    "pool-start d", "vol-list d", "pool-destroy d", "pool-delete d", "pool-start d", "pool-undefine d",
]  # fmt: skip
DISK_OURS = [
    "pool-create {dos} --build", "vol-create-as d {name}p1 10M", "vol-create-as d {name}p2 10M",
    "vol-clone {name}p1 {name}p3 d", "vol-delete {name}p2 d", "vol-list d --details", "vol-create-as d {name}p2 5M",
    "vol-create-as d {name}p4 20M --format extended", "vol-create-as d {name}p5 5M", "pool-dumpxml d", "pool-destroy d",
]  # fmt: skip
MASKS = (
    (re.compile(r"loop\d+"), "loopN"),
    (re.compile(r"/usr/(s?bin)/"), r"/\1/"),
    (re.compile(r"<(allocation|available|capacity) unit='bytes'>\d+<"), r"<\1 <bytes><"),
)


@contextmanager
def device(server: Server) -> Iterator[str]:
    """A disk of 64 MiB in the lab, whose partitions the kernel shows."""
    run = server.host.run
    run("mkdir", "-p", "/run/lab/mnt")
    run("mount", "-t", "devtmpfs", "none", "/dev")
    run("truncate", "-s", "64M", "/run/lab/disk")
    loop = run("losetup", "-f", "--show", "-P", "/run/lab/disk").stdout.strip()
    try:
        yield loop
    finally:
        run("umount", "/run/lab/mnt", check=False)
        run("losetup", "-d", loop)


def session(opened: Callable[[Path | None], AbstractContextManager[Server]], commands: list[str]) -> list[str]:
    """What the commands print, with all that differs from run to run masked."""
    with opened(None) as server, device(server) as loop:
        texts = {"auto": FS, "ext4": FS, "gpt": DISK, "dos": DISK}
        paths = {
            word: str(server.host.write(word, text.format(loop=loop, format=word))) for word, text in texts.items()
        }
        names = {**paths, "name": loop.removeprefix("/dev/")}
        said = []
        for command in commands:
            said += server.says([command.format(**names)], shell=False)
    text = "\n".join(said)
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text.splitlines()


@pytest.mark.parametrize("commands", [FILE_SYSTEM, DISK_BOTH], ids=["file system", "disk"])
def test_a_pool_on_a_device_looks_alike(commands: list[str]) -> None:
    expected, found = session(theirs, commands), session(ours, commands)
    difference = "\n".join(difflib.unified_diff(expected, found, "theirs", "ours", lineterm=""))
    assert not difference, difference


def test_partitions_are_made_copied_and_removed() -> None:
    said = session(ours, DISK_OURS)
    assert not [line for line in said if line.startswith("error")], said
    listed = [line.split()[0] for line in said if re.match(r" loopNp\d", line)]
    assert listed == ["loopNp1", "loopNp3"]
    assert any(line.startswith("      <freeExtent") for line in said)
    assert "    <format type='dos'/>" in said
