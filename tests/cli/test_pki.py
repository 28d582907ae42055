# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki` as a program: what it writes, and whether GnuTLS and libvirt are content with it."""

from __future__ import annotations

import datetime
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_twisted
from cryptography import x509
from twisted.internet.threads import deferToThread

from tests.support.tls import ACCEPTED, TlsPort, knock_with_gnutls, knock_with_openssl
from virtproxy.auth.client_tls import ClientTls, client_files
from virtproxy.auth.tls import ServerTls, server_settings
from virtproxy.auth.tls_files import validity
from virtproxy.cli import certificates
from virtproxy.cli.certificates import Issue
from virtproxy.cli.output import CommandError

LONG = ".".join(["a-label-of-sixteen"] * 8)
ROOT = Path(__file__).parents[2]


def pki(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "virtproxy.cli.main", "pki", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=20)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the three commands of the help text make."""
    place = tmp_path_factory.mktemp("made")
    for arguments in (
        ["init"],
        ["server", "--host", "localhost", "--host", "127.0.0.1"],
        ["client", "--name", "alice"],
    ):
        done = pki(*arguments, cwd=place)
        assert (done.returncode, done.stderr) == (0, "")
    return place / "pki"


def test_the_files_are_those_of_a_pkipath(made: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()}
    certs = {f"{stem}cert.pem": 0o644 for stem in ("ca", "server", "client")}
    keys = {f"{stem}key.pem": 0o600 for stem in ("ca", "server", "client")}
    assert modes == {**certs, **keys, "issued.json": 0o600}
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_both_ends_are_content(made: Path) -> None:
    settings = server_settings(
        cert_file=str(made / "servercert.pem"), key_file=str(made / "serverkey.pem"), ca_file=str(made / "cacert.pem")
    )
    assert ServerTls(settings).check() == []
    ClientTls(client_files(str(made))).check()


@pytest.mark.programs("certtool")
@pytest.mark.parametrize(("stem", "purpose"), [("server", "1.3.6.1.5.5.7.3.1"), ("client", "1.3.6.1.5.5.7.3.2")])
def test_gnutls_verifies_them(made: Path, stem: str, purpose: str) -> None:
    command = ["certtool", "--verify", "--verify-profile=high", f"--verify-purpose={purpose}"]
    command += ["--load-ca-certificate", str(made / "cacert.pem"), "--infile", str(made / f"{stem}cert.pem")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The certificate is trusted." in done.stdout


@pytest.mark.programs("gnutls-cli")
@pytest_twisted.ensureDeferred
async def test_clients_connect_with_them(made: Path) -> None:
    settings = server_settings(
        cert_file=str(made / "servercert.pem"), key_file=str(made / "serverkey.pem"), ca_file=str(made / "cacert.pem")
    )
    port = TlsPort(ServerTls(settings))
    assert await deferToThread(knock_with_gnutls, port.port, made, "client") == ACCEPTED
    assert await deferToThread(knock_with_openssl, port.port, made, "client") == ACCEPTED
    assert {identity.x509_dname for identity in port.identities} == {"O=virtproxy,CN=alice"}
    await port.close()


@pytest.mark.programs("virt-pki-query-dn")
def test_the_name_it_prints_is_libvirt_s(tmp_path: Path) -> None:
    pki("init", cwd=tmp_path)
    done = pki("client", "--name", "a, b", cwd=tmp_path)
    printed = re.search('knows it as "(.*)"', done.stdout)
    assert printed is not None
    asked = subprocess.check_output(["virt-pki-query-dn", tmp_path / "pki" / "clientcert.pem"], text=True)
    assert printed[1] == asked.strip()


@pytest.mark.parametrize("arguments", [["init"], ["server", "--host", "other"], ["client", "--name", "other"]])
def test_nothing_is_overwritten(made: Path, arguments: list[str]) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}
    done = pki(*arguments, cwd=made.parent)
    assert done.returncode == 1
    assert "exists and is not overwritten" in done.stderr
    assert {path: path.read_bytes() for path in made.iterdir()} == before


def test_a_lone_key_is_not_overwritten_either(tmp_path: Path) -> None:
    certificates.create_authority(tmp_path)
    (tmp_path / "clientkey.pem").write_text("precious")
    with pytest.raises(CommandError, match="clientkey"):
        certificates.issue_client(tmp_path, "alice")
    assert (tmp_path / "clientkey.pem").read_text() == "precious"
    assert not (tmp_path / "clientcert.pem").exists()


def test_a_race_for_the_name_has_one_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates.create_authority(tmp_path)
    monkeypatch.setattr(Path, "exists", lambda path: False)
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    before = (tmp_path / "cakey.pem").read_bytes()
    with pytest.raises(CommandError, match=r"cakey\.pem exists"):
        certificates.create_authority(tmp_path)
    assert (tmp_path / "cakey.pem").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["server", "--host", "a"], 'make it first, with "virtproxy pki init"'),
        (["client"], "--name"),
        (["init", "--days", "0"], '"0" is not a number of days from 1 to 99999'),
        (["init", "--days", "many"], '"many" is not a number of days'),
        (["init", "--name", "x" * 65], "a name must have 1 to 64 characters"),
        (["init", "--dir", "/proc/nowhere"], "/proc/nowhere cannot be written"),
        ([], "WHAT"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = pki(*arguments, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["bücher.example", "a\0b", "", "a..b", "a" * 254, "https://a"])
def test_a_host_that_is_none_is_refused(tmp_path: Path, host: str) -> None:
    certificates.create_authority(tmp_path)
    with pytest.raises(CommandError):
        certificates.issue_server(tmp_path, [host])


def test_another_tool_s_authority_is_not_misused(tmp_path: Path, made: Path) -> None:
    (tmp_path / "cacert.pem").write_bytes((made / "cacert.pem").read_bytes())
    (tmp_path / "cakey.pem").write_text("-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n")
    with pytest.raises(CommandError, match="holds no usable authority"):
        certificates.issue_client(tmp_path, "alice")


def test_days_and_names_are_as_told(tmp_path: Path) -> None:
    certificates.create_authority(tmp_path, "My CA", 10)
    certificates.issue_server(tmp_path, ["vm1.example", "192.0.2.7", "2001:db8::7", LONG, "vm1.example"], Issue(5))
    server = x509.load_pem_x509_certificate((tmp_path / "servercert.pem").read_bytes())
    assert validity(server)[0] < datetime.datetime.now(datetime.UTC)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["vm1.example", LONG]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::7"]
    start, end = validity(server)
    assert 5 <= (end - start).total_seconds() / 86400 < 5.1
