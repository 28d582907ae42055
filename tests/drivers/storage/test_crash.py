# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtstoraged is ended by kill -9 in the middle of what it does; the next one tells the truth about what is there.

And a host that changes between libvirt's daemon and ours while its pools are active, in both directions.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lab import INSIDE, SYSTEM_SOCKETS, Daemon, Lab, fetched_tree, lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.programs("virsh"), pytest.mark.timeout(150)]
POOL = "<pool type='dir'><name>a</name><target><path>/run/lab/p</path></target></pool>"
SOCKET = SYSTEM_SOCKETS / "virtstoraged-sock"
URI = f"storage+unix:///system?socket={SOCKET}"


@pytest.fixture
def host() -> Iterator[Lab]:
    """A host with libvirt 11.3 and an empty directory for volumes."""
    with lab(fetched_tree()) as made:
        (made.directory / "p").mkdir()
        made.write("a.xml", POOL)
        yield made


def start(host: Lab) -> Daemon:
    """Our daemon, when it listens."""
    config = host.write("virtstoraged.conf", 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n')
    daemon = host.spawn("virtstoraged", sys.executable, "-m", "virtproxy.cli.daemons", "virtstoraged", "-f", config)
    host.wait_for_socket(daemon, SOCKET)
    return daemon


def virsh(host: Lab, *words: str, uri: str = URI, check: bool = True) -> str:
    """What a command prints."""
    done = host.run("virsh", "-q", "-c", uri, *words, check=check, timeout=100)
    return done.stdout + done.stderr


def names(host: Lab) -> list[str]:
    """The volumes that the daemon shows."""
    return [line.split()[0] for line in virsh(host, "vol-list", "a").splitlines()]


def begun(host: Lab, *words: str) -> subprocess.Popen[str]:
    """A command that goes on while the test does."""
    return host.popen("virsh", "-q", "-c", URI, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_volume_that_was_being_made_is_not_there(host: Lab) -> None:
    daemon = start(host)
    virsh(host, "pool-create", f"{INSIDE}/a.xml")
    virsh(host, "vol-create-as", "a", "whole", "1M")
    source = host.directory / "p" / "source"
    source.write_bytes(os.urandom(1024 * 1024) * 300)
    virsh(host, "pool-refresh", "a")
    for words in (
        ("vol-clone", "source", "copy", "a"),
        ("vol-create-from", "a", f"{INSIDE}/image", "source", "--inputpool", "a"),
    ):
        host.write("image", "<volume><name>copy</name><target><format type='qcow2'/></target></volume>")
        making = begun(host, *words)
        wait_until(lambda: any(host.directory.glob("p/.virtproxy-*/copy")), "the copy's beginning")
        daemon.kill()
        making.communicate(timeout=30)
        assert not (host.directory / "p" / "copy").exists()
        daemon = start(host)
        assert names(host) == ["source", "whole"]
        # qemu-img may still write into what is removed, and ends with it.
        wait_until(lambda: not any(host.directory.glob("p/.virtproxy-*")), "the end of what was left")
    daemon.kill(15)


@pytest.mark.slow
def test_a_wiped_resized_and_uploaded_volume_is_what_the_file_is(host: Lab) -> None:
    daemon = start(host)
    virsh(host, "pool-create", f"{INSIDE}/a.xml")
    file = host.directory / "p" / "v"
    for words in (("vol-wipe", "v", "a"), ("vol-upload", "v", "/dev/zero", "a"), ("vol-resize", "v", "1G", "a")):
        file.write_bytes(b"x" * 1024 * 1024 * 200)
        virsh(host, "pool-refresh", "a")
        doing = begun(host, *words)
        time.sleep(0.3)
        daemon.kill()
        doing.communicate(timeout=30)
        daemon = start(host)
        size = file.stat().st_size
        assert f"<capacity unit='bytes'>{size}</capacity>" in virsh(host, "vol-dumpxml", "v", "a")
        assert names(host) == ["v"]
    daemon.kill(15)


@pytest.mark.slow
def test_definitions_survive_whenever_the_daemon_is_ended(host: Lab) -> None:
    host.write("a.xml", POOL.replace("</name>", "</name><uuid>11111111-2222-3333-4444-555555555555</uuid>"))
    steps = (["pool-define", f"{INSIDE}/a.xml"], ["pool-start", "a"], ["pool-autostart", "a"], ["pool-destroy", "a"])
    states = []
    daemon = start(host)
    for step in (*steps, ["pool-undefine", "a"]):
        virsh(host, *step)
        daemon.kill()
        daemon = start(host)
        states.append(re.sub(r" +", " ", virsh(host, "pool-list", "--all")).strip())
    daemon.kill()
    assert states == ["a inactive no", "a active no", "a active yes", "a inactive yes", ""]


def test_a_host_changes_between_the_daemons_while_pools_are_active(host: Lab) -> None:
    theirs = host.libvirtd()
    uri = f"storage+unix:///system?socket={SYSTEM_SOCKETS}/libvirt-sock"
    virsh(host, "pool-define", f"{INSIDE}/a.xml", uri=uri)
    virsh(host, "pool-autostart", "a", uri=uri)
    virsh(host, "pool-start", "a", uri=uri)
    virsh(host, "vol-create-as", "a", "v", "1M", uri=uri)
    expected = virsh(host, "vol-dumpxml", "v", "a", uri=uri), virsh(host, "pool-list", "--all", uri=uri)
    files = host.run("sh", "-c", "cat /etc/libvirt/storage/a.xml /run/libvirt/storage/a.xml").stdout
    theirs.kill()
    daemon = start(host)
    assert (virsh(host, "vol-dumpxml", "v", "a"), virsh(host, "pool-list", "--all")) == expected
    virsh(host, "pool-destroy", "a")
    virsh(host, "pool-start", "a")
    assert host.run("sh", "-c", "cat /etc/libvirt/storage/a.xml /run/libvirt/storage/a.xml").stdout == files
    daemon.kill()
    theirs = host.libvirtd()
    assert (virsh(host, "vol-dumpxml", "v", "a", uri=uri), virsh(host, "pool-list", "--all", uri=uri)) == expected
    theirs.kill()


@pytest.mark.slow
def test_four_sparse_gibibytes_cross_the_proxy_and_stay_sparse(host: Lab) -> None:
    daemon = start(host)
    proxy = host.virtproxyd({"storage": SOCKET})
    uri = f"storage+unix:///system?socket={SYSTEM_SOCKETS}/libvirt-sock"
    source, back = host.directory / "source", host.directory / "back"
    with source.open("wb") as file:
        for at in range(0, 4096, 256):
            file.seek(at * 1024 * 1024)
            file.write(os.urandom(1024 * 1024))
        file.truncate(4 * 1024**3)
    virsh(host, "pool-create", f"{INSIDE}/a.xml", uri=uri)
    virsh(host, "vol-create-as", "a", "v", "4G", "--allocation", "0", uri=uri)
    virsh(host, "vol-upload", "v", f"{INSIDE}/source", "a", "--sparse", uri=uri)
    virsh(host, "vol-download", "v", f"{INSIDE}/back", "a", "--sparse", uri=uri)
    kept = [path.stat().st_blocks * 512 for path in (source, host.directory / "p" / "v", back)]
    assert max(kept) < 20 * 1024 * 1024
    assert summed(source) == summed(host.directory / "p" / "v") == summed(back)
    for one in (proxy, daemon):
        one.kill(15)


def summed(path: Path) -> str:
    """The checksum of a file's data and of where it stands; holes are not read."""
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb") as file:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return digest.hexdigest()
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < end:
                data = os.pread(file.fileno(), min(4096, end - at), at)
                if data.strip(b"\0"):
                    digest.update(str(at).encode() + data)
                at += len(data)
