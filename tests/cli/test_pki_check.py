# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki check`: each fault that is planted is found and named, and a sound setup has none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.auth.conftest import LOCALHOST
from tests.support.pki import CLIENT, SERVER, Authority, Leaf, key_pem, pem, shared_key, usage, write_pair
from virtproxy.cli import certificates
from virtproxy.cli.certificates import Issue
from virtproxy.cli.main import main
from virtproxy.cli.pki_names import pattern_fault
from virtproxy.cli.pki_permissions import Reader, access_faults, reader_of, tamper_faults

OURS, OTHER = Authority(days=(-2, 600)), Authority("Other CA", 1)
LEAF = Leaf("localhost", purposes=(SERVER,), hosts=LOCALHOST, days=(-1, 300))
CONFIG = """\
listen_tls = 1
ca_file = "{0}/cacert.pem"
cert_file = "{0}/servercert.pem"
key_file = "{0}/serverkey.pem"
crl_file = "{0}/crl.pem"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a sound setup of a daemon for this host."""
    (tmp_path / "cacert.pem").write_bytes(pem(OURS.certificate))
    (tmp_path / "crl.pem").write_bytes(OURS.revocation_list(days=(-1, 300)))
    write_pair(tmp_path, "server", OURS.issue(LEAF))
    (tmp_path / "d.conf").write_text(CONFIG.format(tmp_path))
    return tmp_path


def check(place: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit status and what was found."""
    status = main(["pki", "check", "--json", "--dir", str(place / "pki"), "-f", str(place / "d.conf"), *words])
    found = json.loads(capsys.readouterr().out)
    assert found["config"] == str(place / "d.conf")
    return status, found["findings"]


def server(place: Path, **changes: Any) -> None:
    write_pair(place, "server", OURS.issue(replace(LEAF, **changes)))


def setting(place: Path, line: str) -> None:
    with (place / "d.conf").open("a") as file:
        file.write(line + "\n")


def protected(place: Path) -> None:
    form = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (place / "serverkey.pem").write_bytes(shared_key(9).private_bytes(*form))


def weak(place: Path) -> None:
    small = rsa.generate_private_key(65537, 1024)
    write_pair(place, "server", OURS.issue(LEAF, small), small)


def revoked(place: Path) -> None:
    own = OURS.issue(LEAF)
    write_pair(place, "server", own)
    (place / "crl.pem").write_bytes(OURS.revocation_list(own, days=(-1, 300)))


def forged(place: Path) -> None:
    """A list in our authority's name that another has signed."""
    (place / "crl.pem").write_bytes(Authority(number=7).revocation_list(days=(-1, 300)))


def authority_beside(place: Path) -> None:
    (place / "cakey.pem").write_bytes(key_pem(OURS.key))
    (place / "cakey.pem").chmod(0o644)


Plant = Callable[[Path], object]
# What is done to the setup, and how the fault is told.
FAULTS: dict[str, tuple[Plant, str]] = {
    "no CA": (lambda p: (p / "cacert.pem").unlink(), "ca_file {}/cacert.pem does not exist"),
    "no certificate": (lambda p: (p / "servercert.pem").unlink(), "cert_file {}/servercert.pem does not exist"),
    "no key": (lambda p: (p / "serverkey.pem").unlink(), "key_file {}/serverkey.pem does not exist"),
    "no list": (lambda p: (p / "crl.pem").unlink(), "crl_file {}/crl.pem does not exist"),
    "broken certificate": (
        lambda p: (p / "servercert.pem").write_text("-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"),
        "cert_file {}/servercert.pem holds a broken certificate",
    ),
    "empty CA": (lambda p: (p / "cacert.pem").write_text(""), "ca_file {}/cacert.pem holds no certificate"),
    "passphrase": (protected, "key_file {}/serverkey.pem is protected by a passphrase"),
    "another key": (
        lambda p: (p / "serverkey.pem").write_bytes(key_pem(shared_key(4))),
        "key_file {}/serverkey.pem is not the key",
    ),
    "weak key": (weak, "cannot be used: ee key too small"),
    "expired": (lambda p: server(p, days=(-9, -1)), "cert_file {}/servercert.pem: it expired on"),
    "not yet": (lambda p: server(p, days=(3, 300)), "cert_file {}/servercert.pem: it is not valid before"),
    "a client's": (lambda p: server(p, purposes=(CLIENT,)), "servercert.pem: its purposes (extended key usage) do not"),
    "key usage": (lambda p: server(p, key_usage=usage(key_encipherment=True)), "its key usage does not permit digital"),
    "an authority's": (lambda p: server(p, authority=True), "it is an authority's certificate, not a server's"),
    "another CA": (
        lambda p: (p / "cacert.pem").write_bytes(pem(OTHER.certificate)),
        "cert_file {}/servercert.pem was not issued by an authority of ca_file",
    ),
    "expired CA": (
        lambda p: (p / "cacert.pem").write_bytes(pem(Authority(days=(-9, -1)).certificate)),
        "ca_file {}/cacert.pem: it expired",
    ),
    "no authority": (
        lambda p: (p / "cacert.pem").write_bytes(pem(OURS.issue(LEAF))),
        "ca_file {}/cacert.pem: its basic constraints",
    ),
    "old list": (
        lambda p: (p / "crl.pem").write_bytes(OURS.revocation_list(days=(-9, -1))),
        'crl_file {}/crl.pem: the revocation list of "CN=Test CA" was to be renewed by',
    ),
    "another's list": (
        lambda p: (p / "crl.pem").write_bytes(OTHER.revocation_list()),
        "crl.pem was not issued by an authority",
    ),
    "forged list": (forged, "crl_file {}/crl.pem was not issued by an authority"),
    "revoked itself": (revoked, "cert_file {}/servercert.pem is on the revocation list"),
    "no names": (
        lambda p: server(p, hosts=()),
        "it has no alternative names, and clients do not look at its common name",
    ),
    "other name": (
        lambda p: server(p, hosts=(x509.DNSName("vm1.example"),)),
        'clients that dial "localhost" will refuse it',
    ),
    "address as a name": (
        lambda p: server(p, hosts=(x509.DNSName("localhost"), x509.DNSName("127.0.0.1"))),
        'clients that dial "127.0.0.1" will refuse it',
    ),
    "key for all": (
        lambda p: (p / "serverkey.pem").chmod(0o644),
        "serverkey.pem can be read by every user of this host",
    ),
    "CA for all to write": (lambda p: (p / "cacert.pem").chmod(0o666), "cacert.pem can be changed by others"),
    "directory for all": (lambda p: p.chmod(0o777), "can be replaced by others, who may write to its directory"),
    "CA key in the open": (authority_beside, "cakey.pem can be read by every user of this host"),
    "half the settings": (
        lambda p: (p / "d.conf").write_text(f'listen_tls = 1\nca_file = "{p}/cacert.pem"\n'),
        "cert_file and key_file must be set too",
    ),
    "nobody": (lambda p: setting(p, "tls_allowed_dn_list = []"), "tls_allowed_dn_list is empty and lets nobody in"),
    "OpenSSL's spelling": (
        lambda p: setting(p, 'tls_allowed_dn_list = [ "/O=x/CN=y" ]'),
        "can match nobody: it is spelt with slashes",
    ),
    "blank in a name": (lambda p: setting(p, 'tls_allowed_dn_list = [ "O=x, CN=y" ]'), "it has a blank after a comma"),
    "all let in": (lambda p: setting(p, "tls_no_verify_certificate = 1"), "lets in whoever reaches the port"),
}


def test_a_sound_setup_has_no_fault(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found = check(place, capsys, "--host", "localhost", "--host", "127.0.0.1")
    assert status == 0
    assert [one["problem"].partition(": ")[2][:30] for one in found] == ["it is for this host only: clie"]


@pytest.mark.parametrize("case", FAULTS)
def test_a_planted_fault_is_found(place: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    plant, says = FAULTS[case]
    plant(place)
    status, found = check(place, capsys, "--host", "localhost", "--host", "127.0.0.1")
    faults = [one["problem"] for one in found if one["level"] == "fault"]
    assert status == 3
    assert any(says.replace("{}", str(place)) in problem for problem in faults), faults


def test_all_faults_are_told_at_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for case in ("no CA", "expired", "old list", "key for all", "nobody"):
        FAULTS[case][0](place)
    status = main(["pki", "check", "--dir", str(place), "-f", str(place / "d.conf")])
    said = capsys.readouterr().out
    assert status == 3
    for case in ("no CA", "expired", "old list", "key for all", "nobody"):
        assert FAULTS[case][1].replace("{}", str(place)) in said
    assert f"5 faults in the TLS files of {place}/d.conf" in said


def warned(found: list[dict[str, Any]]) -> str:
    return "\n".join(one["problem"] for one in found if one["level"] == "warning")


def test_what_is_only_unwise_is_a_warning(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server(place, days=(-1, 20), hosts=(*LOCALHOST, x509.DNSName("*.example")))
    (place / "serverkey.pem").chmod(0o640)
    (place / "d.conf").write_text(CONFIG.format(place).replace("listen_tls = 1\n", ""))
    status, found = check(place, capsys)
    assert status == 0
    for says in ("listen_tls is not 1", "expires on", "can be read by its group", '"*.example" is for every host'):
        assert says in warned(found)
    assert "expires on" not in warned(check(place, capsys, "--warn", "10")[1])


def test_patterns_and_whom_they_match(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = place / "pki"
    certificates.create_authority(home)
    for name in ("alice", "bob"):
        certificates.issue_client(home, name, Issue(out=place / name))
    setting(place, 'tls_allowed_dn_list = [ "O=virtproxy,CN=a*", "O=Example,CN=*", "*" ]')
    status, found = check(place, capsys)
    assert status == 0
    notes = [one["problem"] for one in found if one["level"] == "note"]
    assert notes == ['tls_allowed_dn_list "O=virtproxy,CN=a*" matches O=virtproxy,CN=alice']
    assert 'tls_allowed_dn_list "O=Example,CN=*" matches no client\'s certificate that was issued' in warned(found)
    assert 'tls_allowed_dn_list "*" lets in whoever has a valid certificate' in warned(found)


@pytest.mark.parametrize(
    ("pattern", "sound"),
    [
        ("C=GB,O=Org\\, Inc,CN=*", True),
        ("*", True),
        ("*CN=alice*", True),
        ("O=a?b", True),
        ("EMAIL=*@example.org,CN=x", True),
        ("1.2.3.4=x,CN=a", True),
        ("emailAddress=a@b,CN=x", False),
        ("cn=alice", False),
        ("O=Org, Inc,CN=a", False),
        ("alice", False),
        ("O=x,alice", False),
        ("", False),
    ],
)
def test_spellings(pattern: str, sound: bool) -> None:
    assert (pattern_fault(pattern) is None) is sound


def test_a_broken_configuration_is_told_with_its_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setting(place, 'listen_tls = "many"')
    assert main(["pki", "check", "-f", str(place / "d.conf")]) == 1
    assert f"{place}/d.conf:6: listen_tls must be 0 or 1" in capsys.readouterr().err
    assert main(["pki", "check", "-f", str(place / "no.conf")]) == 1
    assert main(["pki", "check", "-f", str(place / "d.conf"), "--user", "no such user"]) == 1


def test_a_user_s_own_daemon(place: Path) -> None:
    """The default places of a user: as virtproxyd would find them, before and after they are filled."""
    home = place / "home"
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("XDG_CONFIG_HOME", None)

    def checked() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "virtproxy.cli.main", "pki", "check", "--session"]
        return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=20)

    (home / ".config" / "libvirt").mkdir(parents=True)
    shutil.copy(place / "d.conf", home / ".config" / "libvirt" / "virtproxyd.conf")
    assert "can serve TLS with these files" in checked().stdout
    (home / ".config" / "libvirt" / "virtproxyd.conf").write_text("listen_tls = 1\n")
    assert checked().returncode == 3
    (home / ".pki").mkdir()
    shutil.copytree(place, home / ".pki" / "libvirt", ignore=shutil.ignore_patterns("home"))
    done = checked()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


NOBODY = Reader("nobody", 65534, frozenset({65534}))


def test_what_another_user_can_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "in" / "file"
    file.parent.mkdir(mode=0o755)
    file.touch(0o644)
    # pytest's own directories above are closed to others.
    above = [*access_faults(file, NOBODY)]
    assert len(above) == 1
    assert "cannot be reached by the user nobody: chmod a+x /tmp/pytest" in above[0]
    assert [*access_faults(file, reader_of(0))] == []
    group = Reader("member", 65534, frozenset({file.stat().st_gid}))
    owner = Reader("owner", file.stat().st_uid, frozenset())
    for mode, who, may in ((0o600, NOBODY, False), (0o604, NOBODY, True), (0o604, group, False), (0o640, group, True)):
        file.chmod(mode)
        assert who.may(file.stat(), 4) is may
    file.chmod(0o044)
    assert owner.uid == 0 or not owner.may(file.stat(), 4)


@pytest.mark.root
def test_whose_files_they_are(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o644)
    assert [*tamper_faults(file, NOBODY)] == []
    os.chown(file, 1234, 0)
    assert "belongs to the user 1234, neither root nor the daemon's" in next(tamper_faults(file, NOBODY))
    os.chown(file, NOBODY.uid, 0)
    assert [*tamper_faults(file, NOBODY)] == []
