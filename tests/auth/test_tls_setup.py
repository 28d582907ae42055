# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon says about its TLS files before it opens a port."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.support.pki import CLIENT, SERVER, Authority, Leaf, key_pem, pem, shared_key, usage, write_pair
from virtproxy.auth.tls import ServerTls, TlsSettings, TlsSetupError
from virtproxy.auth.tls_settings import server_settings

OURS = Authority()
SERVER_LEAF = Leaf(name="localhost", purposes=(SERVER,))


@pytest.fixture
def settings(tmp_path: Path) -> TlsSettings:
    (tmp_path / "cacert.pem").write_bytes(pem(OURS.certificate))
    (tmp_path / "crl.pem").write_bytes(OURS.revocation_list())
    write_pair(tmp_path, "server", OURS.issue(SERVER_LEAF))
    return TlsSettings(
        tmp_path / "servercert.pem",
        tmp_path / "serverkey.pem",
        tmp_path / "cacert.pem",
        tmp_path / "crl.pem",
        crl_required=True,
    )


def message(settings: TlsSettings) -> str:
    with pytest.raises(TlsSetupError) as caught:
        ServerTls(settings).check()
    return str(caught.value)


def test_a_good_setup_has_nothing_to_say(settings: TlsSettings) -> None:
    assert ServerTls(settings).check() == []


@pytest.mark.parametrize("key", ["cert_file", "key_file", "ca_file", "crl_file"])
class TestAFile:
    def test_that_is_missing(self, settings: TlsSettings, key: str) -> None:
        path: Path = getattr(settings, key)
        path.unlink()
        assert message(settings).startswith(f"{key} {path} does not exist: ")

    def test_that_cannot_be_read(self, settings: TlsSettings, key: str) -> None:
        path: Path = getattr(settings, key)
        path.unlink()
        path.mkdir()
        assert message(settings) == f"{key} {path} cannot be read: Is a directory"

    def test_that_is_empty(self, settings: TlsSettings, key: str) -> None:
        path: Path = getattr(settings, key)
        path.write_bytes(b"")
        assert message(settings).startswith(f"{key} {path} holds no ")

    def test_that_is_broken(self, settings: TlsSettings, key: str) -> None:
        path: Path = getattr(settings, key)
        lines = path.read_text().splitlines()
        path.write_text("\n".join([lines[0], lines[1][:40], lines[-1]]))
        assert message(settings).startswith(f"{key} {path} holds ")

    def test_that_is_a_pipe_without_a_writer(self, settings: TlsSettings, key: str) -> None:
        path: Path = getattr(settings, key)
        path.unlink()
        os.mkfifo(path)
        assert message(settings).startswith(f"{key} {path} holds no ")

    def test_that_is_endless(self, settings: TlsSettings, key: str) -> None:
        endless: dict[str, Any] = {key: Path("/dev/zero")}
        assert "is larger than" in message(replace(settings, **endless))


def test_the_default_revocation_list_may_be_absent(settings: TlsSettings, tmp_path: Path) -> None:
    absent = replace(settings, crl_file=tmp_path / "absent.pem", crl_required=False)
    assert ServerTls(absent).check() == []


def test_a_key_with_a_passphrase(settings: TlsSettings) -> None:
    form = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    settings.key_file.write_bytes(shared_key(9).private_bytes(*form))
    assert "is protected by a passphrase" in message(settings)


def test_a_key_of_another_certificate(settings: TlsSettings) -> None:
    settings.key_file.write_bytes(key_pem(shared_key(5)))
    assert message(settings).startswith(f"key_file {settings.key_file} is not the key of cert_file ")
    assert "is not the key of" in message(replace(settings, no_sanity=True))


def _write_server(settings: TlsSettings, leaf: Leaf, authority: Authority = OURS) -> None:
    settings.cert_file.write_bytes(pem(authority.issue(leaf)))


INSANE: dict[str, tuple[Callable[[TlsSettings], object], str]] = {
    "expired": (lambda s: _write_server(s, replace(SERVER_LEAF, days=(-9, -1))), "cert_file {cert}: it expired on "),
    "future": (lambda s: _write_server(s, replace(SERVER_LEAF, days=(3, 9))), "cert_file {cert}: it is not valid "),
    "purpose": (
        lambda s: _write_server(s, replace(SERVER_LEAF, purposes=(CLIENT,))),
        "cert_file {cert}: its purposes (extended key usage) do not include being a TLS server",
    ),
    "usage": (
        lambda s: _write_server(s, replace(SERVER_LEAF, key_usage=usage(key_encipherment=True))),
        "cert_file {cert}: its key usage does not permit digital signatures",
    ),
    "authority's": (
        lambda s: _write_server(s, replace(SERVER_LEAF, authority=True)),
        "cert_file {cert}: it is an authority's certificate, not a server's",
    ),
    "other authority": (
        lambda s: _write_server(s, SERVER_LEAF, Authority("Other", 1)),
        "cert_file {cert} was not issued by an authority of ca_file {ca} ",
    ),
    "authority expired": (
        lambda s: s.ca_file.write_bytes(pem(Authority(days=(-9, -1)).certificate)),
        "ca_file {ca}: it expired on ",
    ),
    "no authority": (
        lambda s: s.ca_file.write_bytes(pem(OURS.issue(SERVER_LEAF))),
        "ca_file {ca}: its basic constraints say that it is not an authority's; its key usage does not permit signing",
    ),
    "other's revocations": (
        lambda s: s.crl_file and s.crl_file.write_bytes(Authority("Other", 1).revocation_list()),
        "crl_file {crl} was not issued by an authority of ca_file {ca}",
    ),
}


@pytest.mark.parametrize("case", INSANE)
def test_an_insane_setup_is_refused_unless_told_not_to_look(settings: TlsSettings, case: str) -> None:
    spoil, start = INSANE[case]
    spoil(settings)
    text = message(settings)
    named = start.format(cert=settings.cert_file, ca=settings.ca_file, crl=settings.crl_file)
    assert text.startswith(named)
    assert "tls_no_sanity_certificate" in text
    ServerTls(replace(settings, no_sanity=True)).check()


def test_what_is_only_unwise_is_a_warning(settings: TlsSettings) -> None:
    settings.key_file.chmod(0o644)
    assert ServerTls(settings).check() == [
        f"key_file {settings.key_file} can be read by every user of this host: chmod 0600 it"
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"allowed_dns": ()}, "tls_allowed_dn_list is empty"),
        ({"no_verify": True}, "tls_no_verify_certificate = 1"),
        ({"no_verify": True, "allowed_dns": ("*",)}, "tls_allowed_dn_list is not applied"),
    ],
)
def test_rules_that_let_in_all_or_nobody_are_warned_of(
    settings: TlsSettings, changes: dict[str, object], text: str
) -> None:
    warnings = ServerTls(replace(settings, **changes)).check()  # type: ignore[arg-type]  # fields by name
    assert any(warning.startswith(text) for warning in warnings)


def test_an_outdated_revocation_list_is_warned_of(settings: TlsSettings) -> None:
    assert settings.crl_file is not None
    settings.crl_file.write_bytes(OURS.revocation_list(days=(-9, -1)))
    (warning,) = ServerTls(settings).check()
    assert warning.startswith(f"crl_file {settings.crl_file} was to be renewed by ")


def test_a_weak_own_key_is_refused_with_a_sentence(settings: TlsSettings, tmp_path: Path) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    certificate = OURS.issue(SERVER_LEAF, weak)
    write_pair(tmp_path, "server", certificate, weak)
    assert "key too small" in message(replace(settings, no_sanity=True))


def test_every_key_of_the_configuration_arrives() -> None:
    settings = server_settings(
        cert_file="/c",
        key_file="/k",
        ca_file="/a",
        crl_file="/r",
        no_verify=True,
        no_sanity=True,
        allowed_dns=["x"],
        priority="NORMAL",
    )
    expected = TlsSettings(Path("/c"), Path("/k"), Path("/a"), Path("/r"), True, True, True, ("x",), "NORMAL")
    assert settings == expected


def test_the_system_s_files_are_the_default() -> None:
    assert server_settings() == TlsSettings(
        Path("/etc/pki/libvirt/servercert.pem"),
        Path("/etc/pki/libvirt/private/serverkey.pem"),
        Path("/etc/pki/CA/cacert.pem"),
        Path("/etc/pki/CA/cacrl.pem"),
    )


def test_a_session_prefers_the_user_s_files(tmp_path: Path, settings: TlsSettings) -> None:
    own = tmp_path / ".pki" / "libvirt"
    own.mkdir(parents=True)
    assert server_settings(session=True, home=tmp_path) == server_settings()
    shutil.copy(settings.ca_file, own / "cacert.pem")
    shutil.copy(settings.cert_file, own / "servercert.pem")
    found = server_settings(session=True, home=tmp_path)
    assert found.ca_file == own / "cacert.pem"
    assert found.cert_file == Path("/etc/pki/libvirt/servercert.pem")
    shutil.copy(settings.key_file, own / "serverkey.pem")
    found = server_settings(session=True, home=tmp_path)
    assert (found.cert_file, found.key_file) == (own / "servercert.pem", own / "serverkey.pem")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"cert_file": "/c"}, "key_file and ca_file must be set too"),
        ({"key_file": "/k", "ca_file": "/a"}, "cert_file must be set too"),
    ],
)
def test_the_three_files_go_together(given: dict[str, str], missing: str) -> None:
    with pytest.raises(TlsSetupError, match=missing):
        server_settings(**given)  # type: ignore[arg-type]  # keys by name


def test_a_revocation_list_of_one_s_own_goes_with_the_default_files() -> None:
    settings = server_settings(crl_file="/r")
    assert (settings.crl_file, settings.crl_required) == (Path("/r"), True)
    assert settings.ca_file == Path("/etc/pki/CA/cacert.pem")
