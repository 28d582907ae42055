# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon behind the proxy is killed in the middle of calls, a stream and a subscription; the client goes on.

The proxy does not wait for the daemon here; where it does, see test_restarts.py.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.conformance.labs import furnished, script
from tests.support.lab import BACKEND_SOCKETS, Daemon, Lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(90)]

SOCKET = str(BACKEND_SOCKETS / "libvirt-sock")


def large_volume(lab: Lab, size: str = "200M") -> None:
    """A raw volume large.img in a pool of the lab's libvirtd."""
    uri = f"qemu:///system?socket={SOCKET}"
    lab.run("virsh", "-c", uri, "pool-create-as", "images", "dir", "--target", "/var/lib/libvirt/images", "--build")
    lab.run("virsh", "-c", uri, "vol-create-as", "images", "large.img", size, "--allocation", "0")


def lines(client: Daemon, label: str) -> list[str]:
    """What the client said under that label."""
    start = f"{label}: "
    return [line.removeprefix(start) for line in client.log_text().splitlines() if line.startswith(start)]


def wait_for_lines(client: Daemon, label: str, count: int = 1) -> list[str]:
    """The lines once there are as many."""

    def came() -> bool:
        assert client.alive() or lines(client, label), client.log_text()
        return len(lines(client, label)) >= count

    wait_until(came, f"{label}: in\n{client.log_text()}", 20)
    return lines(client, label)


def assert_names_the_daemon(message: str, name: str = "virtqemud") -> None:
    """The error says which daemon is gone, by name and socket."""
    assert message.startswith("error ")
    assert name in message
    assert SOCKET in message


def test_killed_in_the_middle_of_everything() -> None:
    with furnished() as lab:
        backend, proxy = lab.proxied(backend_reconnect="0")
        large_volume(lab)
        argv, env = script("loss", "everything", "qemu:///system")
        client = lab.spawn("loss", *argv, env=env)
        wait_for_lines(client, "streaming")
        os.kill(backend.pid, signal.SIGSTOP)
        lab.write("call", "")
        wait_for_lines(client, "calling")
        time.sleep(0.5)
        backend.kill()

        for message in wait_for_lines(client, "call", 3):
            assert_names_the_daemon(message)
        assert_names_the_daemon(wait_for_lines(client, "stream")[0], "virtstoraged")
        assert wait_for_lines(client, "closed") == ["1"]  # VIR_CONNECT_CLOSE_REASON_EOF
        away = wait_for_lines(client, "while it is away")[0]
        assert away.startswith("error ")
        assert SOCKET in away
        assert "virtqemud" in proxy.log_text()
        assert SOCKET in proxy.log_text()

        lab.libvirtd(BACKEND_SOCKETS)
        lab.write("again", "")
        assert wait_for_lines(client, "again") == ["returned []"]
        assert wait_for_lines(client, "alive") == ["1"]
        assert wait_for_lines(client, "new event", 2) == ["('later', 0)", "('later', 1)"]
        assert lines(client, "event") == []
        assert "Traceback" not in proxy.log_text()
        assert "Traceback" not in client.log_text()


def test_what_another_daemon_serves_goes_on() -> None:
    with furnished() as lab, furnished() as networks:
        backend = lab.libvirtd(BACKEND_SOCKETS)
        networks.libvirtd(BACKEND_SOCKETS)
        network_socket = networks.outside(BACKEND_SOCKETS) / "libvirt-sock"
        sockets = {"qemu": BACKEND_SOCKETS / "libvirt-sock", "network": network_socket}
        lab.virtproxyd(sockets, backend_reconnect="0")
        argv, env = script("loss", "partly", "qemu:///system")
        client = lab.spawn("partial", *argv, env=env)
        assert wait_for_lines(client, "networks") == ["returned []"]
        backend.kill()
        lab.run("virsh", "-c", f"network:///system?socket={network_socket}", "net-define", "labnet.xml")
        lab.write("go", "")
        assert wait_for_lines(client, "networks later") == ["returned ['labnet']"]
        assert SOCKET in wait_for_lines(client, "domains later")[0]
        assert client.wrapper.wait(10) == 0
