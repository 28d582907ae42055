# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at a TLS end's own files before they are used, so that a mistake shows at start-up.

Without this a wrong certificate would only show as clients that cannot connect. tls_no_sanity_certificate
turns it off. What only weakens security without breaking anything is a warning, not an error.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto

from virtproxy.auth.certificate_rules import authority_problems, date_problems, end_problems
from virtproxy.auth.tls_files import MALFORMED, Credentials, next_update
from virtproxy.auth.tls_settings import TlsSettings, TlsSetupError

_HOW_TO_SKIP = "make a new one; tls_no_sanity_certificate = 1 skips this check"


def check_key_matches(settings: TlsSettings, credentials: Credentials) -> None:
    """TlsSetupError if the private key is not that of the certificate; nothing works then."""
    if credentials.key is None:
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ours = credentials.key.public_key().public_bytes(*form)
    if credentials.chain[0].public_key().public_bytes(*form) != ours:
        raise TlsSetupError(
            f"key_file {settings.key_file} is not the key of cert_file {settings.cert_file}: "
            "install the pair that was made together"
        )


def check_sanity(settings: TlsSettings, credentials: Credentials, end: str, now: datetime.datetime) -> None:
    """TlsSetupError naming the first file that cannot work at `now` for a TLS `end` ("server", "client")."""
    for problem in sanity_problems(settings, credentials, end, now):
        raise TlsSetupError(f"{problem}: {_HOW_TO_SKIP}")


def sanity_problems(settings: TlsSettings, credentials: Credentials, end: str, now: datetime.datetime) -> Iterator[str]:
    """Each reason why the files cannot work at `now`, beginning with the file; parts that are not there are skipped."""
    for authority in credentials.authorities:
        yield from _about(f"ca_file {settings.ca_file}", date_problems(authority, now) + authority_problems(authority))
    if credentials.chain:
        own = credentials.chain[0]
        yield from _about(f"cert_file {settings.cert_file}", date_problems(own, now) + end_problems(own, end))
    if credentials.chain and credentials.authorities:
        yield from _issuer_problems(settings, credentials)
    if credentials.authorities:
        yield from _revocation_problems(settings, credentials)


def _about(what: str, problems: list[str]) -> Iterator[str]:
    if problems:
        yield f"{what}: {'; '.join(problems)}"


def setup_warnings(settings: TlsSettings, credentials: Credentials, now: datetime.datetime) -> list[str]:
    """What an administrator should know about a setup that works."""
    return [*_permission_warnings(settings.key_file), *_rule_warnings(settings, credentials, now)]


def check_replacement(
    settings: TlsSettings, credentials: Credentials, old: Credentials, now: datetime.datetime
) -> None:
    """TlsSetupError if files that a daemon finds while it runs would lock everybody out or let the revoked in."""
    if old.revocations and not credentials.revocations:
        raise TlsSetupError(
            f"crl_file {settings.crl_file} is gone, and without it who was revoked would be let in: "
            "put it back, or restart the daemon if you mean it"
        )
    for revocations in credentials.revocations:
        until = next_update(revocations)
        if until is not None and until < now:
            raise TlsSetupError(
                f"crl_file {settings.crl_file} was to be renewed by {until:%Y-%m-%d %H:%M:%S} UTC, so every "
                "certificate of its authority would be refused: put a current one there"
            )


def _permission_warnings(key_file: Path) -> Iterator[str]:
    try:
        mode = os.stat(key_file).st_mode
    except OSError:
        return  # it was read a moment ago: it is being replaced
    if mode & 0o004:
        yield f"key_file {key_file} can be read by every user of this host: chmod 0600 it"


def _rule_warnings(settings: TlsSettings, credentials: Credentials, now: datetime.datetime) -> Iterator[str]:
    if settings.no_verify:
        yield "tls_no_verify_certificate = 1: whoever reaches the TLS port may do everything"
        if settings.allowed_dns is not None:
            yield "tls_allowed_dn_list is not applied, because tls_no_verify_certificate = 1"
    elif settings.allowed_dns == ():
        yield "tls_allowed_dn_list is empty: no client can connect; remove it to let every valid certificate in"
    for revocations in credentials.revocations:
        until = next_update(revocations)
        if until is not None and until < now:
            yield (
                f"crl_file {settings.crl_file} was to be renewed by {until:%Y-%m-%d %H:%M:%S} UTC: "
                "certificates of its authority are refused until it is"
            )


def _issuer_problems(settings: TlsSettings, credentials: Credentials) -> Iterator[str]:
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    for authority in credentials.authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
    own, *between = map(crypto.X509.from_cryptography, credentials.chain)
    try:
        crypto.X509StoreContext(store, own, between).verify_certificate()
    except crypto.X509StoreContextError as error:
        yield (f"cert_file {settings.cert_file} was not issued by an authority of ca_file {settings.ca_file} ({error})")


def _revocation_problems(settings: TlsSettings, credentials: Credentials) -> Iterator[str]:
    for revocations in credentials.revocations:
        if not any(_signed(revocations, authority) for authority in credentials.authorities):
            yield (
                f"crl_file {settings.crl_file} was not issued by an authority of ca_file {settings.ca_file}, "
                "so it revokes nothing"
            )


def _signed(revocations: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    if revocations.issuer != authority.subject:
        return False
    try:
        return revocations.is_signature_valid(authority.public_key())  # type: ignore[arg-type]  # TypeError otherwise
    except MALFORMED:
        return False
