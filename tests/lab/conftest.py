# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a test in the lab's guest finds: spare disks, an NFS server, an iSCSI target.

Everything here changes the machine it runs on, which is a guest that is thrown away (see scripts/lab). Elsewhere
nothing of this directory is collected.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SECONDS = 120.0
collect_ignore_glob = [] if os.environ.get("VIRTPROXY_LAB") == "1" else ["test_*.py"]


def run(*command: str | Path, check: bool = True, seconds: float = SECONDS) -> str:
    """Run a program and return what it prints, errors after the rest; AssertionError with it if the program fails."""
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
        check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{output}"
    return output


def wait(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Poll until it is true; AssertionError that names what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.1)


@contextlib.contextmanager
def service(
    *command: str | Path, log: Path, ready: Callable[[], bool], kill: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs as long as the block, once it is ready; then it is told to end, or killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        wait(lambda: ready() or process.poll() is not None, f"{command[0]}")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    """A block device of 256 MiB."""
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    device = run("losetup", "--find", "--show", image).strip()
    yield device
    run("losetup", "--detach", device, check=False)


@pytest.fixture(scope="session")
def nfs_export(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A directory that this machine's NFS server exports at 127.0.0.1, for anybody on it to mount and write."""
    # The server cannot export what is in an overlay or in memory without a number to know it by: the disk it is.
    directory = Path("/srv/export")
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o777)
    run("modprobe", "nfsd")
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd", check=False)
    run("rpcbind", "-w")
    Path("/etc/exports").write_text(f"{directory} 127.0.0.1(rw,sync,no_subtree_check,no_root_squash,insecure)\n")
    run("exportfs", "-ra")
    run("rpc.nfsd", "2")
    run("rpc.mountd")
    run("rpc.statd", check=False)
    yield str(directory)
    run("exportfs", "-ua")
    run("rpc.nfsd", "0")


class Target(NamedTuple):
    """An iSCSI target of this machine."""

    portal: str
    name: str


@pytest.fixture(scope="session")
def iscsi_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A target with one logical unit of 64 MiB, and a running initiator daemon."""
    directory = tmp_path_factory.mktemp("iscsi")
    name = "iqn.2026-01.lab:target"
    image = directory / "unit"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("modprobe", "iscsi_tcp")
    Path("/etc/iscsi/initiatorname.iscsi").write_text("InitiatorName=iqn.2026-01.lab:initiator\n")

    def target_answers() -> bool:
        return "System" in run("tgtadm", "--lld", "iscsi", "--op", "show", "--mode", "sys", check=False)

    def tgtadm(*words: str | Path) -> None:
        run("tgtadm", "--lld", "iscsi", *words)

    # The control daemons put themselves behind; what this block started is ended with the machine.
    run("tgtd", "--iscsi", "portal=127.0.0.1:3260")
    wait(target_answers, "tgtd")
    tgtadm("--op", "new", "--mode", "target", "--tid", "1", "--targetname", name)
    tgtadm("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--backing-store", image)
    tgtadm("--op", "bind", "--mode", "target", "--tid", "1", "--initiator-address", "ALL")
    run("iscsid")
    yield Target("127.0.0.1", name)
    run("iscsiadm", "--mode", "node", "--logoutall=all", check=False)
