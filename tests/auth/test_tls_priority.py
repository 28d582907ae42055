# SPDX-License-Identifier: LGPL-2.1-or-later
"""GnuTLS priority strings: what is understood, what it means, and what is refused."""

from __future__ import annotations

import subprocess

import pytest
from OpenSSL import SSL

from virtproxy.auth.tls_context import set_protocol
from virtproxy.auth.tls_priority import _KEYWORDS, _REMOVABLE, parse_priority
from virtproxy.auth.tls_settings import TlsSetupError

BOTH, ONLY_1_2, ONLY_1_3 = (
    (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION),
    (SSL.TLS1_2_VERSION, SSL.TLS1_2_VERSION),
    (SSL.TLS1_3_VERSION, SSL.TLS1_3_VERSION),
)


def ciphers(text: str | None) -> list[str]:
    """What OpenSSL makes of it for TLS 1.2."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(parse_priority(text).cipher_list.encode())
    return [name for name in SSL.Connection(context, None).get_cipher_list() if not name.startswith("TLS_")]


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (None, BOTH),
        ("", BOTH),
        ("NORMAL", BOTH),
        ("@LIBVIRT,SYSTEM", BOTH),
        ("@SYSTEM", BOTH),
        ("@LIBVIRT,NORMAL", BOTH),
        ("NORMAL:-VERS-TLS1.0:-VERS-TLS1.1", BOTH),
        ("NORMAL:-VERS-TLS1.3", ONLY_1_2),
        ("NORMAL:-VERS-ALL:+VERS-TLS1.2", ONLY_1_2),
        ("NORMAL:-VERS-TLS-ALL:+VERS-TLS1.3", ONLY_1_3),
        ("SECURE128:!VERS-TLS1.2", ONLY_1_3),
        ("NORMAL:%SERVER_PRECEDENCE:%COMPAT", BOTH),
    ],
)
def test_versions(text: str | None, versions: tuple[int, int]) -> None:
    assert parse_priority(text).versions == versions


@pytest.mark.parametrize("keyword", _KEYWORDS)
@pytest.mark.parametrize("item", [None, *_REMOVABLE])
def test_openssl_understands_every_translation(keyword: str, item: str | None) -> None:
    text = keyword if item is None else f"{keyword}:-{item}"
    try:
        left = ciphers(text)
    except (SSL.Error, TlsSetupError):  # it took everything away
        left = []
    assert left or (item in {"AES-128-GCM", "AES-256-GCM", "ECDHE-ECDSA"} and keyword.startswith("SUITEB"))


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("NORMAL:-RSA", ("AES",)),
        ("PFS", ("AES",)),
        ("NORMAL:-AES-128-GCM", ("ECDHE-RSA-AES128-GCM", "ECDHE-ECDSA-AES128-GCM")),
        ("NORMAL:-CHACHA20-POLY1305", ("ECDHE-RSA-CHACHA20", "ECDHE-ECDSA-CHACHA20")),
        ("NORMAL:-AES-256-CBC", ("ECDHE-RSA-AES256-SHA", "AES256-SHA")),
        ("NORMAL:!SHA1", ("ECDHE-RSA-AES128-SHA:", "AES256-SHA:")),
        ("SECURE256", ("ECDHE-RSA-AES128",)),
    ],
)
def test_what_is_taken_away_is_gone(text: str, gone: tuple[str, ...]) -> None:
    before, after = ciphers("NORMAL"), ciphers(text)
    for start in gone:
        assert any(f"{name}:".startswith(start) for name in before)
        assert not any(f"{name}:".startswith(start) for name in after)


def test_nothing_weak_is_ever_offered() -> None:
    offered = ciphers("NORMAL")
    assert offered
    assert not [name for name in offered if any(bad in name for bad in ("NULL", "RC4", "3DES", "MD5", "EXP", "ADH"))]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("LEGACY", "LEGACY"),
        ("NONE:+VERS-TLS1.2:+AES-128-GCM", "NONE"),
        ("normal", "normal"),
        ("@OTHER", "@OTHER"),
        ("NORMAL:+ARCFOUR-128", "+ARCFOUR-128"),
        ("NORMAL:+VERS-TLS1.1", "+VERS-TLS1.1"),
        ("NORMAL:+ANON-DH", "+ANON-DH"),
        ("NORMAL:-GROUP-X25519", "-GROUP-X25519"),
        ("NORMAL:%DISABLE_SAFE_RENEGOTIATION", "%DISABLE_SAFE_RENEGOTIATION"),
        ("NORMAL:%UNSAFE_RENEGOTIATION", "%UNSAFE_RENEGOTIATION"),
        ("NORMAL:rubbish", "rubbish"),
    ],
)
def test_what_cannot_be_said_is_refused(text: str, part: str) -> None:
    with pytest.raises(TlsSetupError) as caught:
        parse_priority(text)
    assert str(caught.value).startswith(f'tls_priority = "{text}": "{part}" cannot be said to OpenSSL')


def test_nothing_left_for_1_2_is_refused() -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    with pytest.raises(TlsSetupError, match=r"leaves no cipher for TLS 1\.2"):
        set_protocol(context, parse_priority("SUITEB128:-AES-128-GCM:-AES-256-GCM:-VERS-TLS1.3"))


def test_nothing_left_is_refused() -> None:
    with pytest.raises(TlsSetupError, match="leaves no version"):
        parse_priority("NORMAL:-VERS-ALL")
    with pytest.raises(TlsSetupError, match="leaves no cipher"):
        parse_priority("SUITEB192:-AES-256-GCM:+VERS-TLS1.3")


@pytest.mark.programs("gnutls-cli")
@pytest.mark.parametrize("text", [*_KEYWORDS, *(f"NORMAL:-{item}" for item in _REMOVABLE)])
def test_gnutls_knows_what_is_understood(text: str) -> None:
    done = subprocess.run(["gnutls-cli", "--priority", text, "--list"], capture_output=True, text=True)
    assert "Syntax error" not in done.stdout + done.stderr
    assert done.returncode == 0
