# SPDX-License-Identifier: LGPL-2.1-or-later
"""The days of a certificate between its issue and its end: listed, renewed, revoked, installed."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.support.pki import Authority, pem
from virtproxy.auth.tls_files import next_update
from virtproxy.cli import certificates, certificates_crl, certificates_ledger
from virtproxy.cli.certificates import Issue, Person
from virtproxy.cli.certificates_files import load_certificate
from virtproxy.cli.certificates_hosts import dial_warnings, host_problem
from virtproxy.cli.main import main
from virtproxy.cli.output import CommandError

ALICE = Person("alice", "Example", ("Ops", "Night"), ("alice@example.org",), ("spiffe://example.org/alice",))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with an authority."""
    certificates.create_authority(tmp_path / "pki")
    return tmp_path / "pki"


def run(home: Path, *words: str) -> int:
    return main(["pki", words[0], "--dir", str(home), *words[1:]])


def listed(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status of list, and its rows by the last part of their names."""
    capsys.readouterr()
    status = run(home, "list", "--json", *words)
    rows = json.loads(capsys.readouterr().out)
    return status, {f"{row['kind']} {row['subject'].rpartition('=')[2]}": row for row in rows}


def serials(home: Path) -> set[int]:
    revocations = certificates_crl.load_list(home)
    assert revocations is not None
    return {one.serial_number for one in revocations}


def test_a_client_has_names_that_rules_can_match(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--organization", "Example", "--unit", "Ops", "--unit", "Night", "--email", "alice@example.org"]
    out = home.parent / "alice"
    assert run(home, "client", "--name", "alice", *words, "--uri", "spiffe://example.org/alice", "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert 'knows it as "O=Example,OU=Ops,OU=Night,CN=alice"' in said
    assert 'a policy also knows it as "email:alice@example.org"' in said
    assert 'a policy also knows it as "URI:spiffe://example.org/alice"' in said
    # A whole pkipath, and nobody else's to look into.
    assert sorted(path.name for path in out.iterdir()) == ["cacert.pem", "clientcert.pem", "clientkey.pem"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "person",
    [Person("a", emails=("no mail",)), Person("a", uris=("no uri",)), Person("a", units=("",)), Person("a\n"),
     Person("a", emails=("ä@b.example",)), Person("a", organization="x" * 65), Person("a", uris=("http:",))],
)  # fmt: skip
def test_a_name_that_is_none_is_refused(home: Path, person: Person) -> None:
    with pytest.raises(CommandError):
        certificates.issue_client(home, person)
    assert certificates_ledger.load(home) == []


def test_everything_issued_is_listed_with_its_end(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates.issue_server(home, ["vm1.example"], Issue(100))
    certificates.issue_client(home, ALICE, Issue(20, home.parent / "alice"))
    status, rows = listed(home, capsys)
    assert status == 3
    assert {name: row["state"] for name, row in rows.items()} == {
        "authority virtproxy CA": "good",
        "server vm1.example": "good",
        "client alice": "ends soon",
    }
    assert rows["client alice"]["days_left"] == 19
    assert rows["client alice"]["names"] == ["email:alice@example.org", "URI:spiffe://example.org/alice"]
    assert listed(home, capsys, "--warn", "10")[0] == 0
    assert run(home, "list") == 3
    assert "ends soon" in capsys.readouterr().out


def test_what_was_renewed_need_not_be_renewed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates.issue_server(home, ["vm1.example"], Issue(5))
    assert listed(home, capsys)[0] == 3
    with pytest.raises(CommandError, match="--replace"):
        certificates.issue_server(home, ["vm1.example"])
    assert len(certificates_ledger.load(home)) == 1
    before = (home / "servercert.pem").read_bytes()
    certificates.issue_server(home, ["vm1.example"], Issue(replace=True))
    assert (home / "servercert.pem").read_bytes() != before
    assert listed(home, capsys)[0] == 0
    assert [row.kind for row in certificates_ledger.load(home)] == ["server", "server"]
    assert stat.S_IMODE((home / "serverkey.pem").stat().st_mode) == 0o600


def test_the_end_of_what_was_issued(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates.issue_client(home, "bob")
    (entry,) = certificates_ledger.load(home)
    past = certificates_ledger.shown(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1))
    changed = argparse.Namespace(**{field: getattr(entry, field) for field in entry.__slots__})
    changed.not_after = past
    certificates_ledger.save(home, [certificates_ledger.Entry(**vars(changed))])
    status, rows = listed(home, capsys)
    assert (status, rows["client bob"]["state"], rows["client bob"]["days_left"]) == (3, "expired", -1)


def test_revoked_by_file_serial_or_name(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = {}
    for name in ("file", "serial", "name", "whole"):
        cert, *_ = certificates.issue_client(home, name, Issue(out=home.parent / name))
        made[name] = load_certificate(cert).serial_number
    assert run(home, "revoke", str(home.parent / "file" / "clientcert.pem")) == 0
    assert run(home, "revoke", f"{made['serial']:X}", "--reason", "key-compromise") == 0
    assert serials(home) == {made["file"], made["serial"]}
    assert run(home, "revoke", "name") == 0
    assert run(home, "revoke", "O=virtproxy,CN=whole") == 0
    assert serials(home) == set(made.values())
    status, rows = listed(home, capsys)
    assert status == 0
    assert rows["client serial"]["state"] == "revoked"
    assert rows["client serial"]["reason"] == "key-compromise"
    assert stat.S_IMODE((home / "cacrl.pem").stat().st_mode) == 0o644


def test_a_name_of_several_is_asked_about(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        certificates.issue_client(home, "alice", Issue(replace=True))
    assert run(home, "revoke", "alice") == 1
    assert "2 certificates: name one by its serial number" in capsys.readouterr().err
    assert run(home, "revoke", "alice", "--all") == 0
    assert len(serials(home)) == 2
    assert run(home, "revoke", "alice") == 1
    assert "was revoked before" in capsys.readouterr().err
    assert run(home, "revoke", "nobody") == 1
    assert "no certificate that was issued here" in capsys.readouterr().err


def test_what_was_issued_before_there_was_a_ledger(home: Path) -> None:
    cert, *_ = certificates.issue_client(home, "old")
    (home / certificates_ledger.NAME).unlink()
    assert run(home, "revoke", str(cert)) == 0
    (home / certificates_ledger.NAME).unlink()
    # The list that is there counts as well: a lost ledger lets nobody in again.
    certificates.issue_client(home, "new", Issue(out=home.parent / "new"))
    assert run(home, "revoke", "new") == 0
    assert len(serials(home)) == 2
    (home / "cacrl.pem").unlink()
    assert run(home, "crl", "--days", "7") == 0
    assert len(serials(home)) == 1


def test_another_authority_s_certificate_is_not_ours_to_revoke(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = home.parent / "other"
    certificates.create_authority(other)
    cert, *_ = certificates.issue_client(other, "alice")
    assert run(home, "revoke", str(cert)) == 1
    assert "was not issued by this authority" in capsys.readouterr().err
    assert not (home / "cacrl.pem").exists()


def test_the_list_is_renewed_and_counted(home: Path) -> None:
    numbers = []
    for days in (1, 50):
        assert run(home, "crl", "--days", str(days)) == 0
        revocations = certificates_crl.load_list(home)
        assert revocations is not None
        numbers.append(revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number)
        end = next_update(revocations)
        assert end is not None
        assert days - 1 < (end - datetime.datetime.now(datetime.UTC)).total_seconds() / 86400 < days
    assert numbers == [1, 2]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "certificates": [{}]}', "\xff", "[" * 100_000,
             '{"format": 1, "certificates": [1]}'],
)  # fmt: skip
def test_a_broken_ledger_is_told(home: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (home / certificates_ledger.NAME).write_text(text, "latin-1")
    for words in (["list"], ["revoke", "alice"], ["client", "--name", "a"], ["crl"]):
        assert run(home, *words) == 1
        assert "issued.json is broken" in capsys.readouterr().err
    assert (home / certificates_ledger.NAME).read_text("latin-1") == text


def test_a_newer_ledger_is_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / certificates_ledger.NAME).write_text('{"format": 2, "certificates": []}')
    assert run(home, "client", "--name", "a") == 1
    assert "newer version of virtproxy" in capsys.readouterr().err


def tree(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}


def test_installed_where_libvirt_looks(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = home.parent / "root"
    certificates.issue_server(home, ["localhost"])
    certificates.issue_client(home, "alice", Issue(out=home.parent / "alice"))
    before = os.umask(0o077)
    try:
        assert run(home, "install", "server", "--root", str(root)) == 0
        assert run(home, "install", "client", "--from", str(home.parent / "alice"), "--root", str(root)) == 0
    finally:
        os.umask(before)
    public, secret = {"etc", "etc/pki", "etc/pki/CA", "etc/pki/libvirt"}, {"etc/pki/libvirt/private"}
    certs = {"etc/pki/CA/cacert.pem", "etc/pki/libvirt/servercert.pem", "etc/pki/libvirt/clientcert.pem"}
    keys = {"etc/pki/libvirt/private/serverkey.pem", "etc/pki/libvirt/private/clientkey.pem"}
    wanted = dict.fromkeys(public, 0o755) | dict.fromkeys(secret, 0o700)
    assert tree(root) == wanted | dict.fromkeys(certs, 0o644) | dict.fromkeys(keys, 0o600)
    # A list may always be put there; a pair that differs only if one means it.
    assert run(home, "revoke", "alice") == 0
    assert run(home, "install", "crl", "--root", str(root)) == 0
    assert (root / "etc/pki/CA/cacrl.pem").read_bytes() == (home / "cacrl.pem").read_bytes()
    certificates.issue_server(home, ["localhost"], Issue(replace=True))
    kept = (root / "etc/pki/libvirt/servercert.pem").read_bytes()
    capsys.readouterr()
    assert run(home, "install", "server", "--root", str(root)) == 1
    assert "nothing was installed; --replace writes over it" in capsys.readouterr().err
    assert (root / "etc/pki/libvirt/servercert.pem").read_bytes() == kept
    assert run(home, "install", "server", "--root", str(root), "--replace") == 0
    assert (root / "etc/pki/libvirt/servercert.pem").read_bytes() == (home / "servercert.pem").read_bytes()


def test_half_a_pair_is_not_installed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = home.parent / "root"
    certificates.issue_server(home, ["localhost"])
    certificates.create_authority(home.parent / "other")
    certificates.issue_server(home.parent / "other", ["localhost"])
    (home / "serverkey.pem").write_bytes((home.parent / "other" / "serverkey.pem").read_bytes())
    assert run(home, "install", "server", "--root", str(root)) == 1
    assert "nothing was installed: key_file" in capsys.readouterr().err
    assert run(home, "install", "client", "--root", str(root)) == 1
    assert not root.exists()


def certificate_for(*hosts: str, home: Path) -> x509.Certificate:
    return load_certificate(certificates.issue_server(home, hosts, Issue(replace=True))[0])


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        (["vm1.example", "192.0.2.1"], []),
        (["gone.example", "192.0.2.1"], ['"gone.example" does not resolve here']),
        (["slow.example", "192.0.2.1"], ['"slow.example" does not resolve here']),
        (["*.example", "192.0.2.1"], ['"*.example" is for every host below example']),
        (["vm1.example"], ["it has no address"]),
        (["localhost", "127.0.0.1", "::1"], ["it is for this host only"]),
        (["localhost", "192.0.2.1"], []),
    ],
)
def test_how_clients_dial(home: Path, hosts: list[str], says: list[str]) -> None:
    answers = {"gone.example": False, "slow.example": None}
    found = dial_warnings(certificate_for(*hosts, home=home), lambda name: answers.get(name, True))
    assert [text.startswith(start) for text, start in zip(found, says, strict=True)] == [True] * len(says)


def test_a_certificate_without_names(home: Path) -> None:
    cert, *_ = certificates.issue_client(home, "vm1.example")
    assert dial_warnings(load_certificate(cert))[0].startswith("it has no alternative names")


@pytest.mark.parametrize(
    ("host", "good"),
    [("vm1.example", True), ("VM1.example", True), ("a.sub.example", True), ("b.a.sub.example", False),
     ("sub.example", False), ("192.0.2.1", True), ("192.0.2.2", False), ("[2001:db8::1]", True),
     ("2001:db8:0::1", True), ("virtproxy", False)],
)  # fmt: skip
def test_who_is_dialled(home: Path, host: str, good: bool) -> None:
    certificate = certificate_for("vm1.example", "*.sub.example", "192.0.2.1", "2001:db8::1", home=home)
    assert (host_problem(certificate, host) is None) is good


@pytest.mark.programs("certtool")
def test_gnutls_follows_a_revocation(home: Path) -> None:
    cert, *_ = certificates.issue_client(home, ALICE)

    def verified(*more: str) -> str:
        command = ["certtool", "--verify", "--verify-profile=high", "--load-ca-certificate", str(home / "cacert.pem")]
        done = subprocess.run([*command, "--infile", str(cert), *more], capture_output=True, text=True)
        return done.stdout

    assert "The certificate is trusted." in verified()
    assert run(home, "crl") == 0
    assert "The certificate is trusted." in verified("--load-crl", str(home / "cacrl.pem"))
    assert run(home, "revoke", "alice") == 0
    assert "revoked" in verified("--load-crl", str(home / "cacrl.pem"))


def test_an_authority_of_another_tool_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cacert.pem").write_bytes(pem(Authority().certificate))
    for words in (["crl"], ["client", "--name", "a"]):
        assert run(tmp_path, *words) == 1
        assert "cakey.pem does not exist" in capsys.readouterr().err
