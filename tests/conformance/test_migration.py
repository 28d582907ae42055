# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running guest moves between two hosts, each with virtproxyd in front of its libvirtd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.labs import furnished
from tests.support.lab import INSIDE, Lab, quoted

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

URI = f"qemu:///system?socket={INSIDE}/p/libvirt-sock"
WAYS = {
    "managed": ("--migrateuri", "unix://{shared}/migration"),
    "peer-to-peer": ("--p2p", "--migrateuri", "unix://{shared}/migration"),
    "tunnelled": ("--p2p", "--tunnelled"),
}


@dataclass
class Hosts:
    """Where the guest is, and where it goes; both see the first one's directory."""

    source: Lab
    target: Lab


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    """Two labs with host names and host UUIDs of their own."""
    with furnished(name="one") as source, furnished(name="two") as target:
        for number, lab in enumerate((source, target), 1):
            sockets = quoted(str(INSIDE / "p"))
            lab.proxied(unix_sock_dir=sockets, host_uuid=quoted(f"11111111-2222-4333-8444-55555555550{number}"))
        yield Hosts(source, target)


def virsh(lab: Lab, *command: str) -> str:
    """Standard output of a virsh command through the lab's proxy."""
    return lab.run("virsh", "-c", URI, *command).stdout


@pytest.mark.parametrize("way", WAYS)
def test_guest_moves(hosts: Hosts, way: str) -> None:
    shared = hosts.source.directory
    xml = (shared / "moving.xml").read_text().replace("@DISK@", f"{shared}/guest.img")
    virsh(hosts.source, "create", str(hosts.source.write("running.xml", xml)))
    options = [option.format(shared=shared) for option in WAYS[way]]
    where = f"qemu+unix:///system?socket={hosts.target.directory}/p/libvirt-sock"
    virsh(hosts.source, "migrate", "--live", "--unsafe", "moving", where, *options)
    assert virsh(hosts.source, "list", "--name").split() == []
    assert virsh(hosts.target, "domstate", "moving", "--reason").split() == ["running", "(migrated)"]
    virsh(hosts.target, "destroy", "moving")
