# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same client comes over every transport, IPv4 and IPv6, and sees what a direct connection shows."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography.x509 import DNSName, IPAddress

from tests.conformance import ssh
from tests.conformance.labs import SCRIPTS, backend_uri, furnished
from tests.support.lab import INSIDE, Lab, client_environment, fetched_tree, quoted
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from tests.support.transcript import Transcript, parse

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(120)]

PKI = INSIDE / "pki"
HOSTS = (DNSName("localhost"), IPAddress(ip_address("127.0.0.1")), IPAddress(ip_address("::1")))
TRANSPORTS = {
    "unix": "qemu:///system",
    "unix-socket": "qemu+unix:///system?socket=/run/libvirt/libvirt-sock",
    "probed": "",
    "tcp": "qemu+tcp://127.0.0.1/system",
    "tcp-ipv6": "qemu+tcp://[::1]/system",
    "tls": f"qemu+tls://localhost/system?pkipath={PKI}",
    "tls-ipv6": f"qemu+tls://[::1]/system?pkipath={PKI}",
    "ssh-helper": ssh.uri("native"),
    "ssh-netcat": ssh.uri("netcat"),
    "ssh-ipv6": ssh.uri("native", "[::1]"),
}


@pytest.fixture(scope="module")
def host() -> Iterator[Lab]:
    """A lab with libvirtd, virtproxyd on every transport before it, and sshd."""
    with furnished() as lab:
        make_certificates(lab)
        files = {key: quoted(str(PKI / name)) for key, name in SERVER_FILES.items()}
        lab.proxied(listen_tcp="1", listen_tls="1", auth_tcp='"none"', **files)
        ssh.start_sshd(lab)
        yield lab


SERVER_FILES = {"ca_file": "cacert.pem", "cert_file": "servercert.pem", "key_file": "serverkey.pem"}


def make_certificates(lab: Lab) -> None:
    """A CA, a server's and a client's certificate in the directory that PKI names in the lab."""
    directory = lab.outside(PKI)
    directory.mkdir()
    authority = Authority()
    (directory / "cacert.pem").write_bytes(pem(authority.certificate))
    write_pair(directory, "server", authority.issue(Leaf("localhost", purposes=(SERVER,), hosts=HOSTS)))
    write_pair(directory, "client", authority.issue(Leaf()))


def client_of(version: str) -> tuple[Path, dict[str, str]]:
    """The virsh of that version and its environment."""
    if version == "9.0.0":
        return Path("/usr/bin/virsh"), {}
    tree = fetched_tree()
    return tree / "usr/bin/virsh", client_environment(tree)


@pytest.mark.parametrize("version", ["9.0.0", "11.3.0"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_transport_same_as_direct(host: Lab, transport: str, version: str) -> None:
    virsh, env = client_of(version)
    steps = parse((SCRIPTS / "transport.script").read_text())
    ssh.used(host) if transport.startswith("ssh") else None
    direct = Transcript(host, virsh, env, backend_uri()).run(steps)
    proxied = Transcript(host, virsh, env, TRANSPORTS[transport]).run(steps)
    assert proxied == direct
    if transport.startswith("ssh"):
        assert ("/nc " if transport == "ssh-netcat" else "/virt-ssh-helper ") in ssh.used(host)


@pytest.mark.parametrize("version", ["9.0.0", "11.3.0"])
def test_read_only_socket_refuses_a_write(host: Lab, version: str) -> None:
    virsh, env = client_of(version)

    def attempt(socket: str) -> tuple[str, str]:
        uri = f"qemu:///system?socket={socket}-ro"
        written = host.run(virsh, "-c", uri, "define", "demo.xml", env=env, check=False)
        assert written.returncode == 1
        return host.run(virsh, "-c", uri, "list", "--all", env=env).stdout, written.stderr

    proxied = attempt("/run/libvirt/libvirt-sock")
    assert proxied == attempt("/run/lab/backend/libvirt-sock")
    assert "operation forbidden: read only access prevents virDomainDefineXML" in proxied[1]


def test_read_only_through_ssh(host: Lab) -> None:
    ssh.used(host)
    refused = host.run("virsh", "-r", "-c", ssh.uri("native"), "list", "--all")
    assert " Id   Name   State" in refused.stdout
    assert "virt-ssh-helper -r " in ssh.used(host)


def test_tls_without_a_certificate_is_refused_and_the_next_client_is_served(host: Lab) -> None:
    host.run("mkdir", "-p", "bare")
    host.run("cp", PKI / "cacert.pem", "bare/")
    uri = "qemu+tls://localhost/system?pkipath=/run/lab/bare"
    refused = host.run("virsh", "-c", uri, "list", check=False)
    assert refused.returncode == 1
    assert "error: failed to connect to the hypervisor" in refused.stderr
    host.run("virsh", "-c", TRANSPORTS["tls"], "list")
