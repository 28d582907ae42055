# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons with drivers of virtproxy's own, alone and mixed with libvirt's: who serves what, and how refusals read.

A proxy in front of both is virtproxy's: Debian has no virtproxyd of libvirt's to put ours behind.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.brought import bring
from tests.support.daemon_process import TWISTD
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, INSIDE, SUPPORT, SYSTEM_SOCKETS, Lab, lab, wait_until

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(90)]

OURS = ("secret", "storage")
UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
SECRET = f"<secret ephemeral='no'><uuid>{UUID}</uuid><usage type='volume'><volume>/v</volume></usage></secret>"
FILES = f"/etc/libvirt/secrets/{UUID}"
# Whose driver no daemon of these tests has, and what is no URI of a driver that is there.
NOBODYS = ("lxc:///system", "fake:///system", "bhyve:///system", "secret:///session", "secret:///", "secret:///other")


def virsh(host: Lab, uri: str, *words: str) -> tuple[str, str]:
    """What virsh prints, and what it complains of."""
    done = host.run("virsh", "-c", uri, *words, check=False)
    return done.stdout, done.stderr


class Mixture:
    """virtproxyd in front of our virtsecretd and virtstoraged, and of libvirt's libvirtd."""

    def __init__(self, host: Lab) -> None:
        self.host = host
        host.libvirtd(BACKEND_SOCKETS)
        self.secrets = host.ours("virtsecretd")
        host.ours("virtstoraged")
        others = {family: BACKEND_SOCKETS / "libvirt-sock" for family in FAMILIES if family not in OURS}
        self.proxy = host.virtproxyd(others)


@pytest.fixture(scope="module")
def mixture() -> Iterator[Mixture]:
    with lab() as host:
        yield Mixture(host)


def clients(host: Lab, daemon: str) -> list[str]:
    """The clients that a daemon's administration interface shows, a line each."""
    return host.run("virt-admin", "-c", f"{daemon}:///system", "client-list", daemon).stdout.splitlines()[2:-1]


def test_a_mixture_serves_each_family_by_whoever_has_it(mixture: Mixture) -> None:
    host, uri = mixture.host, "qemu:///system"
    words = ("virsh", "-c", uri, "secret-event", "--event", "lifecycle", "--timeout", "20")
    with host.popen(*words, stdout=subprocess.PIPE, text=True) as listener:
        wait_until(lambda: len(clients(host, "virtsecretd")) == 1, "somebody who waits for events")
        assert "created" in virsh(host, uri, "secret-define", str(host.write("secret.xml", SECRET)))[0]
        heard, _ = listener.communicate(timeout=20)
    assert heard == f"event 'lifecycle' for secret {UUID}: Defined\nevents received: 1\n\n"
    host.run("virsh", "-c", uri, "secret-set-value", UUID, "aGVsbG8=")
    assert virsh(host, uri, "secret-get-value", UUID)[0].strip() == "aGVsbG8="
    assert virsh(host, "secret:///system", "secret-list")[0].split()[-3:] == [UUID, "volume", "/v"]
    files = host.run("stat", "-c", "%a %n", f"{FILES}.xml", f"{FILES}.base64").stdout
    assert files == f"600 {FILES}.xml\n600 {FILES}.base64\n"
    # libvirt's daemon behind the same proxy, which has a driver for secrets too, knows nothing of it.
    behind = f"qemu+unix:///system?socket={BACKEND_SOCKETS}/libvirt-sock"
    assert UUID not in virsh(host, behind, "secret-list")[0]
    host.run("virsh", "-c", uri, "pool-define-as", "ours", "dir", "--target", "/run/lab")
    assert virsh(host, uri, "pool-list", "--all", "--name")[0].split() == ["ours"]
    assert virsh(host, behind, "pool-list", "--all", "--name")[0].split() == []
    assert virsh(host, "storage:///system", "pool-info", "ours")[1] == ""
    for command in ("uri", "nodedev-list", "nwfilter-list", "capabilities"):
        assert virsh(host, uri, command)[1] == virsh(host, behind, command)[1] == ""
    assert virsh(host, uri, "nodedev-list") == virsh(host, behind, "nodedev-list")


def test_only_its_own_uris_and_the_rest_as_libvirt_refuses_it(mixture: Mixture) -> None:
    own = f"?socket={SYSTEM_SOCKETS}/virtsecretd-sock"
    for uri in ("qemu:///system", "storage:///system", "test:///default"):
        scheme, _, path = uri.partition(":")
        said = virsh(mixture.host, f"{scheme}+unix:{path}{own}", "uri")[1]
        assert said == f"error: failed to connect to the hypervisor\nerror: no connection driver available for {uri}\n"
    for command, api in (("pool-list", "virConnectNumOfStoragePools"), ("list", "virConnectNumOfDomains")):
        said = virsh(mixture.host, "secret:///system", command)[1]
        assert said.endswith(f"error: this function is not supported by the connection driver: {api}\n")


def test_the_secrets_are_there_again_after_a_restart_under_twistd(mixture: Mixture) -> None:
    host = mixture.host
    mixture.secrets.kill(signal.SIGTERM)
    assert "Traceback" not in mixture.secrets.log_text()
    config = INSIDE / "virtsecretd.conf"
    mixture.secrets = host.spawn("twistd", *TWISTD, "-n", "--pidfile=", "virtsecretd", "-f", config)
    host.wait_for_socket(mixture.secrets, SYSTEM_SOCKETS / "virtsecretd-sock-ro")
    assert virsh(host, "qemu:///system", "secret-get-value", UUID)[0].strip() == "aGVsbG8="


ASKING = """
from virtproxy.driver import Driver, implements, remote


class FakeDriver(Driver):
    name = "fake"

    @implements(remote.CONNECT_GET_HOSTNAME)
    async def hostname(self, call, args):
        peer = await self.place.ask("secret")
        listed = await peer.call(remote.CONNECT_LIST_ALL_SECRETS, remote.ConnectListAllSecretsArgs(1, 0))
        value = await peer.call(remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(listed.secrets[0], 0))
        return remote.ConnectGetHostnameRet(hostname=value.value.decode())
"""
PRIVATE = SECRET.replace("<secret ephemeral='no'>", "<secret private='yes'>")


def keep_private(host: Lab) -> None:
    """Let the host's only secret be one that no client may read."""
    host.run("virsh", "-c", "secret:///system", "secret-define", host.write("private.xml", PRIVATE))
    host.run("virsh", "-c", "secret:///system", "secret-set-value", UUID, "aGVsbG8=")
    assert "secret is private" in virsh(host, "secret:///system", "secret-get-value", UUID)[1]


def test_a_driver_asks_another_daemon_as_a_daemon(mixture: Mixture) -> None:
    host = mixture.host
    bring(host.directory / "site", {"fake": "fake_driver:FakeDriver"}, ASKING)
    keep_private(host)
    host.ours("virtfaked", site=INSIDE / "site")
    assert virsh(host, "fake:///system", "hostname")[0] == "hello\n\n"
    # The client library finds the daemon by itself, and so does the proxy.
    assert virsh(host, f"fake+unix:///system?socket={SYSTEM_SOCKETS}/libvirt-sock", "hostname")[0] == "hello\n\n"


def test_a_driver_in_libvirtd_asks_the_one_beside_it() -> None:
    with lab() as host:
        bring(host.directory / "site", {"fake": "fake_driver:FakeDriver"}, ASKING)
        host.ours("libvirtd", site=INSIDE / "site")
        keep_private(host)
        assert virsh(host, "fake:///system", "hostname")[0] == "hello\n\n"
        assert UUID in virsh(host, "fake:///system", "secret-list")[0]
        said = virsh(host, "fake:///system", "net-list")[1]
        assert said.endswith("not supported by the connection driver: virConnectNumOfNetworks\n")


# In a user namespace of its own root is nobody, and so has session daemons.
USER = ("unshare", "--user", "env")
HOME = INSIDE / "home"


def test_a_users_own_daemons_start_each_other() -> None:
    """A session's virtproxyd starts the daemon of ours that serves secrets; it keeps them below the user's home."""
    with lab() as host:
        program = host.write(
            "programs/virtsecretd", f'#!/bin/sh\nexec {sys.executable} -m virtproxy.cli.daemons virtsecretd "$@"\n'
        )
        host.run("sh", "-c", f"chmod 755 {program} && mkdir {HOME} {HOME}/run")
        places = (f"HOME={HOME}", f"XDG_RUNTIME_DIR={HOME}/run", f"VIRTD_PATH={program.parent}")
        own = (*USER, *places, f"PYTHONPATH={SUPPORT.parents[1]}")
        proxy = host.spawn("virtproxyd", *own, sys.executable, "-m", "virtproxy.cli.daemons", "virtproxyd")
        host.wait_for_socket(proxy, HOME / "run/libvirt/libvirt-sock")
        uri = f"secret+unix:///session?socket={HOME}/run/libvirt/libvirt-sock"
        host.run(*own, "virsh", "-c", uri, "secret-define", host.write("secret.xml", SECRET))
        assert UUID in host.run(*own, "virsh", "-c", "secret:///session", "secret-list").stdout
        assert host.run("find", HOME / ".config/libvirt/secrets", "-name", "*.xml").stdout


def refusals(host: Lab) -> dict[str, str]:
    """What a libvirtd says to URIs that nobody serves, and to calls that a driver does not have."""
    said = {uri: virsh(host, f"{uri}?socket={SYSTEM_SOCKETS}/libvirt-sock", "uri")[1] for uri in NOBODYS}
    calls = ("list", "net-list", "pool-list", "nodedev-list", "nwfilter-list", "iface-list", "hostname", "nodeinfo")
    said |= {command: virsh(host, "secret:///system", command)[1] for command in calls}
    # A test:///default connection has all families itself.
    return said | {command: virsh(host, "test:///default", command)[1] for command in ("secret-list", "nwfilter-list")}


@pytest.fixture(scope="module")
def libvirts() -> Iterator[Lab]:
    """A host with libvirt's libvirtd."""
    with lab() as host:
        host.libvirtd()
        yield host


@pytest.fixture(scope="module")
def ours() -> Iterator[Lab]:
    """A host with ours."""
    with lab() as host:
        host.ours("libvirtd")
        yield host


def test_our_libvirtd_refuses_in_the_words_of_libvirts(ours: Lab, libvirts: Lab) -> None:
    assert refusals(ours) == refusals(libvirts)


def test_our_libvirtd_serves_its_drivers(ours: Lab) -> None:
    inside = f"test+unix:///default?socket={SYSTEM_SOCKETS}/libvirt-sock"
    assert virsh(ours, inside, "list", "--name")[0].split() == ["test"]
    assert virsh(ours, inside, "pool-list", "--name")[0].split() == ["default-pool"]
    assert "created" in virsh(ours, "secret:///system", "secret-define", str(ours.write("secret.xml", SECRET)))[0]
    assert UUID in virsh(ours, "secret:///system", "secret-list")[0]
    # No hypervisor of ours is there yet: the sentence that libvirt has for it.
    said = virsh(ours, "qemu:///system", "list")[1]
    assert said.endswith("error: no connection driver available for qemu:///system\n")
    assert "libvirtd" in ours.run("virt-admin", "-c", "libvirtd:///system", "server-list").stdout
