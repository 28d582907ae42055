# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-admin about clients with a certificate or a SASL user, and its reload of certificates: as of libvirtd."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.test_transports import HOSTS, PKI
from tests.support.lab import BACKEND_SOCKETS, FAMILIES, SYSTEM_SOCKETS, Lab, lab, wait_until
from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from tests.support.sasl import USERS, write_config, write_credentials, write_users

pytestmark = [pytest.mark.conformance, pytest.mark.root, pytest.mark.timeout(90)]

ASK = (
    "import socket, ssl, hashlib; context = ssl.create_default_context(cafile='{ca}'); "
    "context.load_cert_chain('{pki}/clientcert.pem', '{pki}/clientkey.pem'); "
    "s = context.wrap_socket(socket.create_connection(('127.0.0.1', 16514)), server_hostname='localhost'); "
    "print(hashlib.sha256(s.getpeercert(True)).hexdigest(), s.recv(1))"
)


@pytest.fixture
def place() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="vp"))
    yield directory
    shutil.rmtree(directory)


class Watched:
    """One daemon, with a client that has a certificate and one that logged in by SASL."""

    def __init__(self, made: Lab, name: str, place: Path) -> None:
        self.lab, self.name = made, name
        self.pki = made.outside(PKI)
        self.authority = Authority()
        self.pki.mkdir()
        (self.pki / "cacert.pem").write_bytes(pem(self.authority.certificate))
        write_pair(self.pki, "client", self.authority.issue(Leaf()))
        self.renew()
        settings = {"listen_tcp": "1", "listen_tls": "1", "listen_addr": '"127.0.0.1"', "auth_tcp": '"sasl"'}
        if name == "libvirtd":
            made.libvirtd(SYSTEM_SOCKETS, "--listen", **settings)
        else:
            made.libvirtd(BACKEND_SOCKETS)
            made.virtproxyd(dict.fromkeys(FAMILIES, BACKEND_SOCKETS / "libvirt-sock"), **settings)
        credentials = write_credentials(place, "joe", USERS["joe"])
        uris = (
            f"qemu+tls://localhost/system?pkipath={PKI}",
            f"qemu+tcp://127.0.0.1/system?authfile={credentials}",
        )
        for number, uri in enumerate(uris, 1):
            quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            made.popen("virsh", "-c", uri, "event", "--all", "--loop", **quiet)
            wait_until(lambda number=number: f"\n {number} " in self.admin("client-list"), uri)  # type: ignore[misc]
            wait_until(lambda number=number: self.known(number), f"who client {number} is")  # type: ignore[misc]

    def renew(self) -> None:
        """Lay a new certificate of the server down."""
        leaf = self.authority.issue(Leaf("localhost", purposes=(SERVER,), hosts=HOSTS))
        write_pair(self.pki, "server", leaf)
        # Where libvirtd looks without settings; with them its reload looks there all the same.
        self.lab.run("mkdir", "-p", "/etc/pki/CA", "/etc/pki/libvirt/private")
        for source, target in (
            ("cacert.pem", "CA/cacert.pem"),
            ("servercert.pem", "libvirt/servercert.pem"),
            ("serverkey.pem", "libvirt/private/serverkey.pem"),
        ):
            self.lab.run("cp", PKI / source, f"/etc/pki/{target}")

    def admin(self, command: str, *rest: str) -> str:
        """What virt-admin prints, errors too."""
        done = self.lab.run("virt-admin", "-c", "libvirtd:///system", command, self.name, *rest, check=False)
        return done.stdout + done.stderr

    def known(self, number: int) -> bool:
        """Whether the client has told who it is."""
        return re.search(r"x509_dname|sasl_user", self.admin("client-info", str(number))) is not None

    def certificate(self) -> str:
        """The fingerprint of what the server shows a new client, and the byte that lets it in."""
        done = self.lab.run("python3", "-c", ASK.format(ca=PKI / "cacert.pem", pki=PKI))
        return done.stdout.strip()


def told(watched: Watched) -> list[str]:
    """Everything that virt-admin says, without times and ports."""
    said = [watched.admin("client-info", number) for number in "12"]
    before = watched.certificate()
    watched.renew()
    unchanged = watched.certificate() == before
    said.append(watched.admin("server-update-tls"))
    after = watched.certificate()
    assert after.endswith("b'\\x01'")
    said.append(f"{unchanged} {after != before}")
    # Those who came before stay.
    said += [watched.admin("client-info", number) for number in "12"]
    return [masked(one) for one in said]


def masked(said: str) -> str:
    """Without times and the ports of clients."""
    return re.sub(r"\d{4}-\d\d-\d\d \S+", "TIME", re.sub(r"(127\.0\.0\.1:|\[::1\]:)\d+", r"\1PORT", said))


def test_clients_with_certificates_and_users_look_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for name in ("libvirtd", "virtproxyd"):
        with lab() as made:
            environ = write_config(place, "digest-md5")  # TCP takes a security layer
            write_users(place, environ, made.inside)
            monkeypatch.setenv("SASL_CONF_PATH", environ["SASL_CONF_PATH"])
            answers.append(told(Watched(made, name, place)))
    assert answers[1] == [one.replace("libvirtd", "virtproxyd") for one in answers[0]]
    assert "x509_dname" in answers[1][0] and "sasl_user_name : joe" in answers[1][1]
    assert answers[1][3].startswith(("True True", "False True"))
