# SPDX-License-Identifier: LGPL-2.1-or-later
"""With a daemon of its own for networks, no network call of a qemu:///system client reaches the hypervisor's daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.labs import backend_uri, furnished
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, Lab, fetched_tree, wait_until
from virtproxy.protocol import remote
from virtproxy.protocol.schema import Family

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

URI = "qemu:///system"
RECEIVED = re.compile(r"RPC_SERVER_CLIENT_MSG_RX: .*prog=(\d+) vers=\d+ proc=(\d+) type=0")


@dataclass
class Pair:
    """The lab of the proxy and the hypervisor's daemon, and the lab of the network's daemon."""

    host: Lab
    networks: Lab


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """virtproxyd in front of libvirtd 9.0 for everything but networks, and of libvirtd 11.3 for these."""
    with furnished() as host, furnished(fetched_tree()) as networks:
        networks.libvirtd(BACKEND_SOCKETS)
        host.libvirtd(BACKEND_SOCKETS, log_filters='"1:rpc"', log_outputs='"1:file:/run/lab/rpc.log"')
        backends = dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock")
        backends["network"] = networks.outside(BACKEND_SOCKETS) / "libvirt-sock"
        host.virtproxyd(backends)
        yield Pair(host, networks)


def received(lab: Lab) -> list[str]:
    """Names of the remote program's calls that the lab's libvirtd received since it was asked last."""
    log = lab.directory / "rpc.log"
    calls = RECEIVED.findall(log.read_text())
    log.write_text("")
    numbers = [int(number) for program, number in calls if int(program) == remote.PROGRAM.number]
    return [remote.PROGRAM.procedures[number].name for number in numbers]


def network_calls(names: list[str]) -> list[str]:
    """Those that belong to the network driver."""
    by_name = {procedure.name: procedure.family for procedure in remote.PROGRAM.procedures.values()}
    return [name for name in names if by_name[name] is Family.NETWORK]


def virsh(lab: Lab, *command: str, uri: str = URI) -> str:
    """Standard output of a virsh command."""
    return lab.run("virsh", "-c", uri, *command).stdout


def test_networks_are_the_other_daemons(pair: Pair) -> None:
    virsh(pair.networks, "net-define", "isolated.xml", uri=backend_uri("network"))
    virsh(pair.host, "net-define", "labnet.xml", uri=backend_uri())
    assert network_calls(received(pair.host)) == ["NETWORK_DEFINE_XML"]

    assert virsh(pair.host, "net-list", "--all", "--name").split() == ["isolated"]
    virsh(pair.host, "net-start", "isolated")
    assert virsh(pair.networks, "net-list", "--name", uri=backend_uri("network")).split() == ["isolated"]
    commands = "net-info labnet; net-dumpxml isolated; list --all; net-destroy isolated"
    listed = pair.host.run("virsh", "-c", URI, commands)
    assert "<name>isolated</name>" in listed.stdout
    assert "no network with matching name 'labnet'" in listed.stderr
    reached = received(pair.host)
    assert "CONNECT_LIST_ALL_DOMAINS" in reached
    assert network_calls(reached) == []


def test_events_come_from_the_other_daemon(pair: Pair) -> None:
    received(pair.host)
    command = ("net-event", "--event", "lifecycle", "--loop")
    events = pair.host.spawn("events", "stdbuf", "-oL", "virsh", "-c", URI, *command)

    def told() -> bool:
        virsh(pair.networks, "net-create", "labnet.xml", uri=backend_uri("network"))
        virsh(pair.networks, "net-destroy", "labnet", uri=backend_uri("network"))
        return "event 'lifecycle' for network labnet: Started" in events.log_text()

    wait_until(told, "the event", 20)
    events.kill()
    assert network_calls(received(pair.host)) == []


def test_own_uri_of_a_secondary_driver(pair: Pair) -> None:
    received(pair.host)
    assert "isolated" in virsh(pair.host, "net-list", "--all", "--name", uri="network:///system")
    assert received(pair.host) == []


def test_version_is_the_hypervisors(pair: Pair) -> None:
    assert "Running against daemon: 9.0.0" in virsh(pair.host, "version", "--daemon")
