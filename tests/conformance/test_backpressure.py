# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reader that stops, on either side, stops the sender on the other; virtproxyd holds little in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.flood import Flood
from tests.conformance.labs import furnished
from tests.conformance.test_backend_lost import large_volume
from tests.support.lab import SYSTEM_SOCKETS, Daemon, Lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

URI = "qemu:///system"
MIB = 1024 * 1024
SIZE = 200 * MIB
GROWTH_KIB = 16 * 1024


@dataclass
class Host:
    """A lab and its daemons."""

    lab: Lab
    backend: Daemon
    proxy: Daemon

    def size(self, name: str) -> int:
        """How large a file of the lab is, as its processes see it."""
        done = self.lab.run("stat", "-c", "%s", name, check=False)
        return int(done.stdout or 0)

    def allocated(self, name: str) -> int:
        """How many blocks of a file of the lab have been written; asked without a process, as uploads are quick."""
        return Path(f"/proc/{self.lab.pid}/root{name}").stat().st_blocks


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """libvirtd behind virtproxyd, with a volume of 200 MiB and a file of the same size."""
    with furnished() as lab:
        backend, proxy = lab.proxied()
        large_volume(lab)
        lab.run("openssl", "rand", "-out", "/run/source", str(SIZE))
        lab.run("virsh", "-c", URI, "vol-upload", "large.img", "/run/source", "--pool", "images")
        yield Host(lab, backend, proxy)


def assert_bounded(host: Host, before: int) -> None:
    """The proxy's memory, now and at its peak, is not far from what it was."""
    assert host.proxy.resident_kib() - before < GROWTH_KIB
    assert host.proxy.resident_kib(peak=True) - before < GROWTH_KIB


def test_stopped_client_of_a_download(host: Host) -> None:
    before = host.proxy.resident_kib()
    download = ("vol-download", "large.img", "/run/fetched", "--pool", "images")
    client = host.lab.spawn("download", "virsh", "-c", URI, *download)
    wait_until(lambda: host.size("/run/fetched") > 0, "the first bytes")
    with client.stopped():
        time.sleep(3)
        assert host.size("/run/fetched") < SIZE
        assert_bounded(host, before)
    assert client.wrapper.wait(60) == 0, client.log_text()
    host.lab.run("cmp", "/run/source", "/run/fetched")
    assert_bounded(host, before)


def test_stopped_daemon_of_an_upload(host: Host) -> None:
    host.lab.run("virsh", "-c", URI, "vol-create-as", "images", "copy.img", str(SIZE), "--allocation", "0")
    before = host.proxy.resident_kib()
    client = host.lab.spawn("upload", "virsh", "-c", URI, "vol-upload", "copy.img", "/run/source", "--pool", "images")
    wait_until(lambda: host.allocated("/var/lib/libvirt/images/copy.img") > 0, "the first bytes")
    with host.backend.stopped():
        time.sleep(3)
        assert client.alive()
        assert_bounded(host, before)
    assert client.wrapper.wait(60) == 0, client.log_text()
    host.lab.run("cmp", "/run/source", "/var/lib/libvirt/images/copy.img")
    assert_bounded(host, before)


def test_client_that_never_reads_its_answers(host: Host) -> None:
    before = host.proxy.resident_kib()
    with Flood(Path(f"/proc/{host.lab.pid}/root{SYSTEM_SOCKETS}/libvirt-sock")) as flood:
        taken = flood.send(4)
        assert taken < 2 * MIB
        assert_bounded(host, before)
        assert "Id" in host.lab.run("virsh", "-c", URI, "list").stdout
