# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates that change under a running daemon: taken over, or left with a warning, and nobody is dropped."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from tests.daemon.test_lifecycle import started
from tests.support.daemon_process import DaemonProcess
from tests.support.pki import SERVER, Authority, Leaf, pem, shared_key, write_pair
from tests.support.tls import ACCEPTED, REFUSED, knock_with_gnutls, knock_with_openssl, plain_context
from virtproxy.protocol import remote

OURS, OTHER = Authority(), Authority("Other CA", 1)
LOCALHOST = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
LIVE, NEW, BATCH = 100, 1000, 8
KEPT = "not taken over, new clients get what was there before: "
SETTINGS = """
listen_tls = 1
tls_port = "0"
listen_addr = "127.0.0.1"
tls_expiry_warning_days = 7
ca_file = "{0}/cacert.pem"
cert_file = "{0}/servercert.pem"
key_file = "{0}/serverkey.pem"
crl_file = "{0}/crl.pem"
"""


def server(name: str, authority: Authority = OURS, days: tuple[int, int] = (-1, 30)) -> x509.Certificate:
    return authority.issue(Leaf(name, purposes=(SERVER,), hosts=LOCALHOST, days=days))


def put(path: Path, data: bytes) -> None:
    """Replace a file as a careful program does."""
    draft = path.with_name(".draft")
    draft.write_bytes(data)
    draft.rename(path)


class Daemon:
    """A daemon with the certificate ``first``, and what a test does to it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.first = server("first")
        self.alice, self.mallory = OURS.issue(Leaf("alice")), OURS.issue(Leaf("mallory"))
        put(place / "cacert.pem", pem(OURS.certificate))
        # What clients trust, whatever the daemon does.
        self.trust = place / "trust"
        self.trust.mkdir()
        put(self.trust / "cacert.pem", pem(OURS.certificate))
        put(place / "crl.pem", OURS.revocation_list())
        write_pair(place, "server", self.first)
        write_pair(place, "alice", self.alice)
        write_pair(place, "mallory", self.mallory)
        self.process: DaemonProcess = started(place, SETTINGS.format(place))
        (self.port,) = self.process.ports()

    def connect(self, who: str = "alice") -> ssl.SSLSocket:
        """A client that was let in."""
        context = plain_context(self.trust)
        context.load_cert_chain(self.place / f"{who}cert.pem", self.place / f"{who}key.pem")
        sock = socket.create_connection(("127.0.0.1", self.port), 20)
        client = context.wrap_socket(sock, server_hostname="localhost")
        assert client.recv(1) == ACCEPTED
        return client

    def serial(self) -> int:
        """The serial number of the certificate that a new client is shown."""
        with self.connect() as client:
            return serial_of(client)

    def serials(self, count: int) -> list[int]:
        """The same of many, a few at a time."""
        with ThreadPoolExecutor(BATCH) as pool:
            return list(pool.map(lambda _: self.serial(), range(count)))


def serial_of(client: ssl.SSLSocket) -> int:
    shown = client.getpeercert(True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def answers(client: ssl.SSLSocket) -> bool:
    """Whether the daemon still answers this client."""
    frame = remote.AUTH_LIST.call_frame(1, None).raw
    client.sendall(frame)
    return len(client.recv(1000)) > 28


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    made = Daemon(place)
    yield made
    assert made.process.stop() == 0
    assert "Traceback" not in made.process.said()


def seen_by_gnutls(daemon: Daemon) -> int:
    """The serial number that gnutls-cli reports."""
    command = ["gnutls-cli", "--x509cafile", str(daemon.trust / "cacert.pem"), "--port", str(daemon.port), "localhost"]
    command += [f"--x509certfile={daemon.place}/alicecert.pem", f"--x509keyfile={daemon.place}/alicekey.pem"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    found = re.search(r"serial 0x([0-9a-f]+)", done.stdout)
    assert found is not None, done.stdout
    return int(found[1], 16)


@pytest.mark.slow
@pytest.mark.programs("gnutls-cli")
@pytest.mark.timeout(120)
def test_no_client_is_lost_while_certificates_change(daemon: Daemon) -> None:
    live = [daemon.connect() for _ in range(LIVE)]
    second = server("second")
    found: list[int] = []
    stream = threading.Thread(target=lambda: found.extend(daemon.serials(NEW // 2)))
    stream.start()
    put(daemon.place / "servercert.pem", pem(second))
    daemon.process.wait_for(f"taken over.*CN=second.*{second.serial_number:x}, valid until ")
    stream.join()
    assert len(found) == NEW // 2
    assert set(found) <= {daemon.first.serial_number, second.serial_number}
    assert set(daemon.serials(NEW // 2)) == {second.serial_number}
    assert seen_by_gnutls(daemon) == second.serial_number
    put(daemon.place / "servercert.pem", pem(server("third", OTHER)))
    daemon.process.wait_for(f"{KEPT}cert_file {daemon.place}/servercert.pem was not issued by")
    assert set(daemon.serials(10)) == {second.serial_number}
    assert {serial_of(client) for client in live} == {daemon.first.serial_number}
    assert all(answers(client) for client in live)
    for client in live:
        client.close()


@pytest.mark.programs("gnutls-cli", "virsh")
def test_who_is_revoked_stays_until_he_leaves(daemon: Daemon) -> None:
    def knocks(who: str) -> set[bytes]:
        return {knock(daemon.port, daemon.place, who) for knock in (knock_with_openssl, knock_with_gnutls)}

    with daemon.connect("mallory") as live:
        put(daemon.place / "crl.pem", OURS.revocation_list(daemon.mallory))
        daemon.process.wait_for("taken over.*crl_file .* with 1 certificate revoked")
        assert knocks("mallory") == {REFUSED}
        assert knocks("alice") == {ACCEPTED}
        assert answers(live)
        (daemon.place / "crl.pem").unlink()
        daemon.process.wait_for(f"{KEPT}crl_file .* does not exist")
        assert knocks("mallory") == {REFUSED}


def test_what_cannot_be_used_is_left_with_one_warning(daemon: Daemon) -> None:
    path = daemon.place / "servercert.pem"
    put(path, pem(server("half"))[:300])
    daemon.process.wait_for(KEPT)
    assert warnings_of(daemon) == [f"cert_file {path} holds no certificate (BEGIN CERTIFICATE) in PEM form"]
    assert daemon.serial() == daemon.first.serial_number
    # Asked for, it is said again; unasked it was not.
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.process.wait_for("has reloaded")
    assert len(warnings_of(daemon)) == 2
    put(path, pem(second := server("second")))
    daemon.process.wait_for("taken over.*CN=second")
    assert daemon.serial() == second.serial_number


def warnings_of(daemon: Daemon) -> list[str]:
    return re.findall(f"{KEPT}(.*)", daemon.process.said())


def test_links_that_lead_elsewhere(daemon: Daemon) -> None:
    """As certbot does it: a new pair, then one link after the other is made anew."""
    place, archive = daemon.place, daemon.place / "archive"
    for number in (1, 2):
        made = OURS.issue(Leaf(f"number {number}", purposes=(SERVER,), hosts=LOCALHOST), shared_key(number))
        archive.mkdir(exist_ok=True)
        write_pair(archive, f"{number}", made, shared_key(number))
        for kind in ("cert", "key"):
            (place / "link").symlink_to(f"archive/{number}{kind}.pem")
            (place / "link").rename(place / f"server{kind}.pem")
        daemon.process.wait_for(f"taken over.*CN=number {number}")
        assert daemon.serial() == made.serial_number
    assert warnings_of(daemon) == []


def test_a_hangup_takes_them_over_at_once_and_warns_of_the_end(daemon: Daemon) -> None:
    put(daemon.place / "servercert.pem", pem(server("short", days=(-1, 3))))
    os.kill(daemon.process.pid, signal.SIGHUP)
    daemon.process.wait_for("taken over.*CN=short")
    daemon.process.wait_for('the certificate of "C=GB,O=Org\\\\, Inc,CN=short" expires on .*, in 2 days')
    daemon.process.wait_for("has reloaded")


@pytest.mark.programs("virsh")
def test_a_new_authority_with_all_that_it_issued(daemon: Daemon) -> None:
    place = daemon.place
    second = server("second", OTHER)
    put(place / "crl.pem", OTHER.revocation_list())
    put(place / "servercert.pem", pem(second))
    put(place / "cacert.pem", pem(OTHER.certificate))
    daemon.process.wait_for("taken over.*CN=second.*CN=Other CA.* with 0 certificates revoked")
    client = place / "client"
    client.mkdir()
    put(client / "cacert.pem", pem(OTHER.certificate))
    write_pair(client, "client", OTHER.issue(Leaf("bob")))
    uri = f"test+tls://127.0.0.1:{daemon.port}/default?pkipath={client}"
    assert subprocess.run(["virsh", "-c", uri, "uri"], capture_output=True, timeout=15).returncode == 0
