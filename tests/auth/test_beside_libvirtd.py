# SPDX-License-Identifier: LGPL-2.1-or-later
"""The same clients at our TLS port and at a libvirtd's: the same verdict, or ours is stricter on purpose."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.protocol import Protocol
from twisted.internet.threads import deferToThread

from tests.auth.conftest import CLIENTS
from tests.support.lab import wait_until
from tests.support.tls import ACCEPTED, REFUSED, TlsPort, knock_with_openssl, reactor
from virtproxy.auth.client_tls import ClientTls
from virtproxy.auth.tls import ServerTls, TlsSettings
from virtproxy.auth.tls_settings import PkiFiles
from virtproxy.rpc.transport import SocketTransport

pytestmark = [pytest.mark.root, pytest.mark.programs("libvirtd", "unshare")]

LISTED = "C=GB,O=Org\\, Inc,CN=*"
CONFIG = """\
unix_sock_dir = "{place}"
auth_unix_rw = "none"
auth_tls = "none"
listen_addr = "127.0.0.1"
tls_port = "{port}"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
crl_file = "{pki}/{crl}"
tls_allowed_dn_list = [ "C=GB,O=Org\\, Inc,CN=*" ]
log_level = 2
log_outputs = "2:file:{place}/log"
"""
# Its directories of state are its own: the host's libvirt is not touched.
START = (
    "for directory in /run /var/lib/libvirt /etc/libvirt /var/cache/libvirt /var/log/libvirt; do"
    ' mkdir -p "$directory" && mount -t tmpfs none "$directory" || exit 1; done;'
    ' exec libvirtd --listen --config "$1/conf" --pid-file "$1/pid"'
)
# What ours refuses and libvirt lets in: a purpose not marked critical (libvirt logs a warning), a key of 1024 bits
# (GnuTLS's own limit is lower), and anyone under an outdated revocation list (GnuTLS believes it still).
LENIENT = {"crl.pem": {"purpose", "weak"}, "oldcrl.pem": {"good", "plain", "purpose", "weak"}}


class Libvirtd:
    """A real libvirtd with a TLS port."""

    def __init__(self, place: Path, port: int) -> None:
        self.place = place
        self.port = port

    def names_let_in(self) -> list[str]:
        """The distinguished names it logged of the clients it let in."""
        return re.findall(r"SESSION_ALLOW: .* dname=(.*)", (self.place / "log").read_text())


@pytest.fixture(scope="module", params=["crl.pem", "oldcrl.pem"])
def crl(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def libvirtd(pki: Path, crl: str) -> Iterator[Libvirtd]:
    place = Path(tempfile.mkdtemp(prefix="vp"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    (place / "conf").write_text(CONFIG.format(place=place, port=port, pki=pki, crl=crl))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    command += ["sh", "-c", START, "sh", str(place)]
    with (place / "out").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            wait_until(lambda: _listens(process, place, port), "libvirtd's TLS port")
            yield Libvirtd(place, port)
        finally:
            process.kill()
    shutil.rmtree(place)


def _listens(process: subprocess.Popen[bytes], place: Path, port: int) -> bool:
    assert process.poll() is None, (place / "out").read_text()
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("stem", [None, "other", "weak", *CLIENTS])
@pytest_twisted.ensureDeferred
async def test_the_same_verdict(libvirtd: Libvirtd, pki: Path, crl: str, stem: str | None) -> None:
    settings = TlsSettings(
        pki / "servercert.pem", pki / "serverkey.pem", pki / "cacert.pem", pki / crl, True, allowed_dns=(LISTED,)
    )
    port = TlsPort(ServerTls(settings))
    ours = await deferToThread(knock_with_openssl, port.port, pki, stem)
    theirs = await deferToThread(knock_with_openssl, libvirtd.port, pki, stem)
    expected = ACCEPTED if crl == "crl.pem" and stem in {"good", "plain"} else REFUSED
    assert ours == expected
    assert theirs == (ACCEPTED if stem in LENIENT[crl] else expected)
    if ours == ACCEPTED:
        assert port.identities[0].x509_dname == libvirtd.names_let_in()[-1]
    await port.close()


class _Patient(Protocol):
    """Waits until it is connected."""


@pytest_twisted.ensureDeferred
async def test_our_client_is_let_in(libvirtd: Libvirtd, pki: Path) -> None:
    files = PkiFiles(pki / "cacert.pem", pki / "absent.pem", pki / "goodcert.pem", pki / "goodkey.pem")
    sock = socket.create_connection(("127.0.0.1", libvirtd.port), 10)
    protocol, accepted = ClientTls(files).wrap(reactor, "localhost", _Patient())
    transport = SocketTransport(reactor, sock, protocol)
    transport.start()
    await accepted
    transport.abortConnection()
    while not transport.disconnected:
        await deferToThread(int)
