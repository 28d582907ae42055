# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real daemon for networks that is stopped in its tracks leaves the rest of the host at work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.labs import furnished
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, SYSTEM_SOCKETS, Daemon, Lab
from tests.support.raw import RawClient, raw_client
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import decode_error
from virtproxy.rpc.keepalive import PING, PONG
from virtproxy.wire.frame import ERROR, OK

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(60)]

URI = "qemu:///system"
DEADLINE = 2
SOON = 1.5
MANY = 20
STUCK = range(100, 100 + MANY)


@dataclass
class Host:
    """virtproxyd in front of two libvirtd: one for networks, one for everything else."""

    lab: Lab
    networks: Daemon

    @property
    def socket(self) -> Path:
        """The proxy's socket, as seen from outside."""
        return Path(f"/proc/{self.lab.pid}/root") / (SYSTEM_SOCKETS / "libvirt-sock").relative_to("/")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with furnished() as lab, furnished() as other:
        networks = other.libvirtd(BACKEND_SOCKETS)
        lab.libvirtd(BACKEND_SOCKETS)
        backends = dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock")
        backends["network"] = other.outside(BACKEND_SOCKETS) / "libvirt-sock"
        lab.virtproxyd(backends, call_deadlines=f'[ "connect_num_of_networks={DEADLINE}" ]', max_backend_requests="10")
        yield Host(lab, networks)


def guests(client: RawClient, serial: int) -> float:
    """How many seconds a call to the other daemon takes."""
    begin = time.monotonic()
    answer = client.call(remote.CONNECT_NUM_OF_DOMAINS.call_frame(serial, None))
    assert answer.status == OK
    return time.monotonic() - begin


def networks(client: RawClient, serial: int) -> str:
    """What a call to the daemon for networks is answered with: nothing, or the error."""
    answer = client.call(remote.CONNECT_NUM_OF_NETWORKS.call_frame(serial, None))
    if answer.status != ERROR:
        return ""
    error = decode_error(answer)
    assert error.code == ErrorCode.OPERATION_TIMEOUT
    return error.message or ""


def test_everybody_else_is_answered(host: Host) -> None:
    with raw_client(host.socket) as client, raw_client(host.socket) as other:
        for one in (client, other):
            one.open(URI)
            assert networks(one, 50) == ""
        with host.networks.stopped():
            for serial in STUCK:
                client.send(remote.CONNECT_NUM_OF_NETWORKS.call_frame(serial, None))
            assert max(guests(client, serial) for serial in range(200, 240)) < SOON
            assert max(guests(other, serial) for serial in range(200, 240)) < SOON
            client.send(PING)
            assert _next_of_keepalive(client)
            with raw_client(host.socket) as newcomer:
                begin = time.monotonic()
                newcomer.open(URI)
                assert guests(newcomer, 300) < SOON
                assert time.monotonic() - begin < 2 * SOON
            assert "virtnetworkd did not answer CONNECT_NUM_OF_NETWORKS within 2 s" in networks(other, 301)
            assert "virtnetworkd still owes answers to 5 earlier calls of this connection" in networks(client, 302)
            goodbye = client.call(remote.CONNECT_CLOSE.call_frame(303, None))
            assert goodbye.status == OK
        assert networks(other, 304) == ""
    with raw_client(host.socket) as after:
        after.open(URI)
        assert networks(after, 51) == ""


def _next_of_keepalive(client: RawClient) -> bool:
    """Whether a pong comes, among answers to calls that have timed out by now."""
    while True:
        frame = client.receive()
        if frame is None or frame.program == PONG.program:
            return frame is not None


def test_virsh_goes_on(host: Host) -> None:
    with host.networks.stopped():
        done = host.lab.run("virsh", "-c", URI, "list --all; version --daemon; nodedev-list; pool-list")
    assert "Running against daemon: 9.0.0" in done.stdout
    host.lab.run("virsh", "-c", URI, "net-list", "--all")
