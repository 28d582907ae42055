# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd behind the proxy knows the real user of its client, not the proxy's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.labs import furnished
from tests.support.lab import BACKEND_SOCKETS, Daemon, Lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(60)]

NOBODY = 65534
ADMIN = f"libvirtd:///system?socket={BACKEND_SOCKETS}/libvirt-admin-sock"


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A lab where everybody may use the proxy's UNIX socket."""
    with furnished() as lab:
        lab.proxied(unix_sock_rw_perms='"0777"')
        yield lab


def clients(lab: Lab) -> list[dict[str, str]]:
    """What libvirtd says about each of its clients."""
    rows = lab.run("virt-admin", "-c", ADMIN, "client-list", "libvirtd").stdout.splitlines()[2:]
    numbers = [row.split()[0] for row in rows if row.strip()]
    return [client_info(lab, number) for number in numbers]


def client_info(lab: Lab, number: str) -> dict[str, str]:
    """The fields of virt-admin's client-info."""
    shown = lab.run("virt-admin", "-c", ADMIN, "client-info", "libvirtd", number).stdout
    pairs = (line.split(":", 1) for line in shown.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def listening_client(lab: Lab, uri: str, *prefix: str) -> Daemon:
    """A virsh that waits for events."""
    command = ("virsh", "-c", uri, "event", "--all", "--loop")
    client = lab.spawn("waiting", *prefix, "stdbuf", "-oL", *command)
    wait_until(lambda: len(clients(lab)) == 1, "the client")
    return client


def test_user_and_process(host: Lab) -> None:
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    client = listening_client(host, "qemu:///system", *user)
    wait_until(lambda: clients(host)[0]["unix_user_id"] == str(NOBODY), "the user")
    told = clients(host)[0]
    assert told["unix_user_name"] == "nobody"
    assert told["unix_group_id"] == str(NOBODY)
    inside = host.run("pgrep", "-u", str(NOBODY), "-x", "virsh").stdout.split()
    assert told["unix_process_id"] in inside
    client.kill()
    wait_until(lambda: clients(host) == [], "the end of the connection")
