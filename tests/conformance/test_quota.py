# SPDX-License-Identifier: LGPL-2.1-or-later
"""Quotas in front of C libvirtd: what virsh is refused, and what many of them at once get."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.labs import furnished
from tests.support.lab import Lab

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

NOBODY = 65534
USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
POLICY = """
[[grant]]
to = "user:nobody"
roles = ["owner", "viewer"]

[[documents]]
to = "user:nobody"
pool_targets = ["/run/lab/pool"]

[[quota]]
to = "user:nobody"
guests = 2
vcpus = 4
memory = "64MiB"
volumes = "20MiB"
"""
GUEST = (
    "<domain type='qemu'><name>{}</name><memory unit='MiB'>{}</memory><vcpu>{}</vcpu>"
    "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
)
VOLUME = "<volume><name>{}</name><capacity unit='M'>8</capacity></volume>"


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    with furnished() as lab:
        policy = lab.write("policy.toml", POLICY)
        (lab.directory / "pool").mkdir()
        owners = {"policy_owners_file": '"/run/lab/owners.json"'}
        lab.proxied(unix_sock_rw_perms='"0777"', policy_file=f'"{policy}"', **owners)
        yield lab


def virsh(lab: Lab, *arguments: str, text: str = "") -> str:
    """What virsh says to the owner, "" if all went well."""
    file = str(lab.write("document.xml", text)) if text else ""
    words = [word.replace("FILE", file) for word in arguments]
    done = lab.run(*USER, "virsh", "-q", "-c", "qemu:///system", *words, check=False)
    assert bool(done.returncode) is bool(done.stderr)
    return done.stderr


def test_guests(host: Lab) -> None:
    assert not virsh(host, "define", "FILE", text=GUEST.format("a", 16, 3))
    assert "quota of 4 vCPUs (5 wanted)" in virsh(host, "define", "FILE", text=GUEST.format("b", 16, 2))
    assert "bytes of memory" in virsh(host, "define", "FILE", text=GUEST.format("b", 49, 1))
    assert not virsh(host, "define", "FILE", text=GUEST.format("b", 16, 1))
    assert "quota of 2 guests (3 wanted)" in virsh(host, "define", "FILE", text=GUEST.format("c", 1, 1))
    assert "quota of 4 vCPUs (5 wanted)" in virsh(host, "setvcpus", "b", "2", "--maximum", "--config")
    assert "bytes of memory" in virsh(host, "setmaxmem", "b", "49MiB", "--config")
    assert not virsh(host, "setmaxmem", "b", "48MiB", "--config")
    assert not virsh(host, "undefine", "a")
    assert not virsh(host, "setvcpus", "b", "4", "--maximum", "--config")
    assert not virsh(host, "undefine", "b")


def test_volumes(host: Lab) -> None:
    pool = "<pool type='dir'><name>p</name><target><path>/run/lab/pool</path></target></pool>"
    assert not virsh(host, "pool-create", "FILE", text=pool)
    assert not virsh(host, "vol-create", "p", "FILE", text=VOLUME.format("v"))
    assert "bytes of volumes" in virsh(host, "vol-resize", "--pool", "p", "v", "21M")
    assert "bytes of volumes" in virsh(host, "vol-resize", "--pool", "p", "v", "13M", "--delta")
    assert not virsh(host, "vol-clone", "--pool", "p", "v", "w")
    assert "bytes of volumes" in virsh(host, "vol-clone", "--pool", "p", "v", "x")
    assert "bytes of volumes" in virsh(host, "vol-create", "p", "FILE", text=VOLUME.format("x"))
    assert not virsh(host, "vol-delete", "--pool", "p", "v")
    assert not virsh(host, "vol-create", "p", "FILE", text=VOLUME.format("x"))


def test_many_at_once(host: Lab) -> None:
    files = [str(host.write(f"m{n}.xml", GUEST.format(f"m{n}", 1, 1))) for n in range(8)]
    running = [host.popen(*USER, "virsh", "-q", "-c", "qemu:///system", "define", file, stderr=-3) for file in files]
    ended = [process.wait(20) for process in running]
    assert ended.count(0) == 2
    listed = host.run(*USER, "virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name").stdout.split()
    assert len(listed) == 2
