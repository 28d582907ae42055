# SPDX-License-Identifier: LGPL-2.1-or-later
"""The SDK's files, locks and errors beside libvirt's own, in a lab: each reads what the other wrote."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.audience import ask
from benchmarks.idle import idle_client
from tests.support.lab import BACKEND_SOCKETS, Lab
from virtproxy.driver import Params, Type, VirtError, param, remote
from virtproxy.driver.definitions import header
from virtproxy.protocol.schema import decode_error
from virtproxy.wire.frame import Frame
from virtproxy.wire.framer import Framer

pytestmark = [pytest.mark.root, pytest.mark.conformance, pytest.mark.programs("libvirtd", "virsh")]

ROOT = Path(__file__).parents[2]
# Runs in the lab, whose /etc/libvirt and /run/libvirt are not the host's.
HEAD = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from twisted.internet.defer import Deferred
from virtproxy.driver import Definitions, Instance, Place
place = Place("system", "/etc/libvirt", "/var/lib/libvirt", "/run/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
pools = Definitions(place, "storage", edit="pool-edit", autostart="storage/autostart")
def run(work):
    found = []
    Deferred.fromCoroutine(work).addBoth(found.append)
    return found[0]
"""
POOL = """\
<pool type='dir'>
  <name>ours</name>
  <uuid>00010203-0405-0607-0809-0a0b0c0d0e0f</uuid>
  <target>
    <path>/run/ours</path>
  </target>
</pool>
"""


class Rig:
    """A lab with libvirtd."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.daemon = lab.libvirtd(BACKEND_SOCKETS)
        self.socket = lab.outside(BACKEND_SOCKETS / "libvirt-sock")

    def virsh(self, *words: str) -> str:
        command = ["virsh", "-c", f"qemu+unix:///system?socket={self.socket}", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout

    def python(self, script: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.lab.run(sys.executable, "-c", HEAD + script, check=check)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Lab() as lab:
        yield Rig(lab)


def test_definitions_go_over_and_back(rig: Rig) -> None:
    rig.virsh("pool-define-as", "theirs", "dir", "--target", "/run/theirs")
    rig.virsh("pool-define-as", "with space", "dir", "--target", "/run/space")
    rig.virsh("pool-autostart", "theirs")
    text = rig.lab.run("cat", "/etc/libvirt/storage/theirs.xml").stdout
    assert text.startswith(header("pool-edit", "theirs") + "<pool")
    spaced = rig.lab.run("cat", "/etc/libvirt/storage/with space.xml").stdout
    uuid = spaced.partition("<uuid>")[2].partition("</uuid>")[0]
    assert spaced.startswith(header("pool-edit", "with space", bytes.fromhex(uuid.replace("-", ""))))
    found = rig.python("print([(one.name, one.autostart) for one in run(pools.load(str))])").stdout
    assert found == "[('theirs', True), ('with space', False)]\n"
    rig.python(f"run(pools.save('ours', {POOL!r})); run(pools.set_autostart('ours', True))")
    rig.daemon.kill()
    rig.daemon = rig.lab.libvirtd(BACKEND_SOCKETS)
    assert "ours" in rig.virsh("pool-list", "--all", "--autostart", "--name").split()
    links = rig.lab.run(
        "sh", "-c", "stat -c '%A %N' /etc/libvirt/storage/*.xml /etc/libvirt/storage/autostart/*"
    ).stdout
    ours, theirs = (
        [line.replace(name, "N") for line in links.splitlines() if name in line] for name in ("ours", "theirs")
    )
    assert ours == theirs


def test_a_driver_is_libvirts_or_ours_and_never_both(rig: Rig) -> None:
    script = "Instance(place, 'storage').acquire()\n"
    refused = rig.python(f"try: {script}except Exception as error: sys.exit(error.message)", check=False)
    assert refused.returncode == 1 and "another daemon (process" in refused.stderr
    rig.daemon.kill()
    holder = rig.lab.popen(
        sys.executable, "-c", f"{HEAD}{script}print('held', flush=True); sys.stdin.read()",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    config = Path("/run/lab/libvirtd.conf")
    second = rig.lab.popen("libvirtd", "-f", config, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = second.communicate(timeout=20)[1]
    assert "/run/libvirt/storage/driver.pid" in said and "Driver state initialization failed" in said
    holder.communicate()
    rig.daemon = rig.lab.libvirtd(BACKEND_SOCKETS)


def their_error(rig: Rig, given: list[remote.TypedParam]) -> VirtError:
    """What libvirt's own test driver says to these parameters."""
    with idle_client(rig.socket, "test:///default") as client:
        dom = ask(client, remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test")).dom
        args = remote.DomainSetBlockIoTuneArgs(dom=dom, disk="vda", params=given, flags=0)
        client.sendall(remote.DOMAIN_SET_BLOCK_IO_TUNE.call_frame(7, args).raw)
        framer, frames = Framer(), list[Frame]()
        while not frames:
            frames = framer.feed(client.recv(65536))
    return VirtError.from_net(decode_error(frames[0]))


BANDWIDTH = Params(total_bytes_sec=Type.ULLONG)


@pytest.mark.parametrize(
    "given",
    [
        [param("what", 1)],
        [param("total_bytes_sec", "text")],
        [param("total_bytes_sec", 1)],
        [param("total_bytes_sec", 1, Type.ULLONG), param("total_bytes_sec", 2, Type.ULLONG)],
    ],
)
def test_wrong_parameters_have_libvirts_errors(rig: Rig, given: list[remote.TypedParam]) -> None:
    theirs = their_error(rig, given)
    with pytest.raises(VirtError) as caught:
        BANDWIDTH.parse(given)
    ours = caught.value
    shown = [(error.code, error.domain, error.message, error.str2) for error in (ours, theirs)]
    assert shown[0] == shown[1]
