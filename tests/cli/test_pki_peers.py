# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `virtproxy pki` issues, at real peers: virsh and gnutls-cli at our daemon and at a libvirtd."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.auth.test_beside_libvirtd import START, Libvirtd, _listens
from tests.daemon.test_lifecycle import started
from tests.support.lab import wait_until
from tests.support.tls import ACCEPTED, REFUSED, knock_with_gnutls
from virtproxy.cli.main import main

CONFIG = """\
listen_tls = 1
listen_addr = "127.0.0.1"
tls_port = "{port}"
auth_tls = "none"
ca_file = "{root}/etc/pki/CA/cacert.pem"
cert_file = "{root}/etc/pki/libvirt/servercert.pem"
key_file = "{root}/etc/pki/libvirt/private/serverkey.pem"
crl_file = "{root}/etc/pki/CA/cacrl.pem"
tls_allowed_dn_list = [ "O=Example,OU=Ops,CN=*" ]
"""
CLIENTS = {"alice": "Ops", "mallory": "Ops", "bob": "Sales"}


def pki(place: Path, *words: str) -> None:
    assert main(["pki", words[0], "--dir", str(place / "pki"), *words[1:]]) == 0


@pytest.fixture(scope="module")
def issued() -> Iterator[Path]:
    """A host's files as the help text has them made, in an image's /etc/pki, and three clients, one of them revoked."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    pki(place, "init", "--organization", "Example")
    pki(place, "server", "--host", "localhost", "--host", "127.0.0.1", "--host", "::1")
    for name, unit in CLIENTS.items():
        names = ["--unit", unit, "--email", f"{name}@example.org", "--uri", f"spiffe://example.org/{name}"]
        pki(place, "client", "--name", name, "--organization", "Example", *names, "--out", str(place / name))
    pki(place, "revoke", "mallory")
    pki(place, "install", "server", "--root", str(place / "root"))
    yield place
    shutil.rmtree(place)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def virsh(port: int, directory: Path, host: str) -> bool:
    """Whether virsh comes in with the files of a directory."""
    command = ["virsh", "-c", f"test+tls://{host}:{port}/default?pkipath={directory}", "list", "--name"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0) is ("test" in done.stdout.split())
    return done.returncode == 0


def let_in(port: int, issued: Path) -> dict[str, bool]:
    return {name: virsh(port, issued / name, "127.0.0.1") for name in CLIENTS}


WANTED = {"alice": True, "mallory": False, "bob": False}


@pytest.mark.programs("virsh", "gnutls-cli")
def test_at_our_daemon(issued: Path, place: Path) -> None:
    daemon = started(place, CONFIG.format(port=free_port(), root=issued / "root"))
    (port,) = daemon.ports()
    assert let_in(port, issued) == WANTED
    assert virsh(port, issued / "alice", "localhost")
    assert knock_with_gnutls(port, issued / "alice", "client") == ACCEPTED
    assert knock_with_gnutls(port, issued / "mallory", "client") == REFUSED
    # Back in the morning: a new certificate for her, and the daemon never stopped.
    pki(issued, "client", "--name", "mallory", "--organization", "Example", "--unit", "Ops", "--replace", "--out",
        str(issued / "mallory"))  # fmt: skip
    assert virsh(port, issued / "mallory", "localhost")
    pki(issued, "revoke", "mallory")
    pki(issued, "install", "crl", "--root", str(issued / "root"))
    daemon.wait_for("taken over.* with 2 certificates revoked")
    assert let_in(port, issued) == WANTED
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


@pytest.fixture
def libvirtd(issued: Path) -> Iterator[Libvirtd]:
    """A libvirtd with the same configuration."""
    place, port = Path(tempfile.mkdtemp(prefix="vp")), free_port()
    text = CONFIG.format(port=port, root=issued / "root")
    (place / "conf").write_text(f'unix_sock_dir = "{place}"\nauth_unix_rw = "none"\n{text}')
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["sh", "-c", START, "sh", str(place)]
    with (place / "out").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until(lambda: _listens(process, place, port), "libvirtd's TLS port")
            yield Libvirtd(place, port)
        finally:
            process.kill()
    shutil.rmtree(place)


@pytest.mark.root
@pytest.mark.programs("libvirtd", "unshare", "virsh", "gnutls-cli")
def test_at_a_libvirtd(issued: Path, libvirtd: Libvirtd) -> None:
    assert let_in(libvirtd.port, issued) == WANTED
    assert knock_with_gnutls(libvirtd.port, issued / "alice", "client") == ACCEPTED


def test_check_has_nothing_against_them(issued: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "d.conf").write_text(CONFIG.format(port=1, root=issued / "root"))
    words = ["check", "--dir", str(issued / "pki"), "-f", str(place / "d.conf"), "--host", "localhost"]
    assert main(["pki", *words]) == 0
    assert 'note: tls_allowed_dn_list "O=Example,OU=Ops,CN=*" matches O=Example,OU=Ops,CN=alice' in (
        capsys.readouterr().out
    )
