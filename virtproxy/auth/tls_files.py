# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads certificates, keys and revocation lists, and says in a sentence what is wrong with a file.

tls_context.py and tls_sanity.py work on what this returns. Nothing here judges a certificate.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from OpenSSL import crypto

from virtproxy.auth.tls_settings import TlsSettings, TlsSetupError

if TYPE_CHECKING:  # cryptography 38 has no such name
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_FILE_MAX = 4 * 1024 * 1024
_CERTIFICATE = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.+?-----END [A-Z0-9 ]+-----", re.DOTALL)
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)

# What cryptography and OpenSSL raise, sooner or later, for parts of a certificate that are not as they should be.
MALFORMED = (
    ValueError,
    TypeError,
    KeyError,  # before version 40, for a kind of string that it does not know
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    crypto.Error,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Credentials:
    """What the files of one TLS end hold. `chain` is its own certificate and what follows it in the file.

    A client may have none: `chain` is then empty and `key` None.
    """

    authorities: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...]
    chain: tuple[x509.Certificate, ...]
    key: PrivateKeyTypes | None

    @property
    def shown(self) -> tuple[object, ...]:
        """All of it that is public: equal for files that say the same."""
        return self.authorities, self.revocations, self.chain


def load_credentials(settings: TlsSettings) -> Credentials:
    """Read every file of `settings`. TlsSetupError if one is missing, unreadable or not what it should be."""
    return Credentials(
        authorities=load_authorities(settings.ca_file),
        revocations=load_revocations(settings),
        chain=load_certificates(settings.cert_file, "cert_file"),
        key=load_key(settings.key_file),
    )


def load_authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of the authorities whose word counts."""
    return load_certificates(path, "ca_file")


def load_certificates(path: Path, key: str) -> tuple[x509.Certificate, ...]:
    """At least one certificate from a PEM file; `key` is the configuration's name for it, for messages."""
    return _parts(path, key, _CERTIFICATE, _certificate, "certificate (BEGIN CERTIFICATE)")


def load_revocations(settings: TlsSettings) -> tuple[x509.CertificateRevocationList, ...]:
    """The revocation lists, none if there is no such file and it need not exist."""
    path = settings.crl_file
    if path is None or not (settings.crl_required or _exists(path)):
        return ()
    return _parts(path, "crl_file", _CRL, _revocation_list, "revocation list (BEGIN X509 CRL)")


def load_key(path: Path) -> PrivateKeyTypes:
    """The private key of a PEM file, which must not ask for a passphrase."""
    data = _read(path, "key_file")
    try:
        return serialization.load_pem_private_key(data, password=None)
    except TypeError as error:
        raise TlsSetupError(
            f"key_file {path} is protected by a passphrase, which nobody is there to type: store it without one"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TlsSetupError(f"key_file {path} holds no usable private key in PEM form") from error


def validity(certificate: x509.Certificate) -> tuple[datetime.datetime, datetime.datetime]:
    """From when and until when `certificate` is valid, in UTC (newer and older cryptography)."""
    if hasattr(certificate, "not_valid_before_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return _utc(certificate.not_valid_before), _utc(certificate.not_valid_after)


def next_update(revocations: x509.CertificateRevocationList) -> datetime.datetime | None:
    """Until when a revocation list is current, in UTC; None if it does not say."""
    if hasattr(revocations, "next_update_utc"):
        return revocations.next_update_utc
    return revocations.next_update and _utc(revocations.next_update)


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(tzinfo=datetime.UTC)


def _parts(path: Path, key: str, pattern: re.Pattern[bytes], parse: Callable[[bytes], T], what: str) -> tuple[T, ...]:
    data = _read(path, key)
    try:
        found = tuple(parse(block) for block in pattern.findall(data))
    except MALFORMED as error:
        raise TlsSetupError(f"{key} {path} holds a broken {what}") from error
    if not found:
        raise TlsSetupError(f"{key} {path} holds no {what} in PEM form")
    return found


def _certificate(block: bytes) -> x509.Certificate:
    """A certificate whose parts can all be read: cryptography reads most of them when they are first asked for.

    OpenSSL, which has to work with it, must be able to read it too.
    """
    found = x509.load_pem_x509_certificate(block)
    crypto.X509.from_cryptography(found)
    found.public_key(), found.subject, found.issuer, found.serial_number, validity(found)
    return found


def _revocation_list(block: bytes) -> x509.CertificateRevocationList:
    """A revocation list whose parts can all be read."""
    found = x509.load_pem_x509_crl(block)
    found.issuer, next_update(found), found.signature_hash_algorithm
    for entry in found:
        entry.serial_number  # noqa: B018 -- read now
    return found


def _without_waiting(path: str, flags: int) -> int:
    """Open a file that may turn out to be a pipe, which nobody may ever write to."""
    return os.open(path, flags | os.O_NONBLOCK)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # it cannot be looked at: reading it will say why


def _read(path: Path, key: str) -> bytes:
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            data = file.read(_FILE_MAX + 1) or b""
    except FileNotFoundError as error:
        raise TlsSetupError(
            f'{key} {path} does not exist: put it there, make one with "virtproxy pki", or name another place '
            f"(key {key} of a daemon, pkipath in a client's URI)"
        ) from error
    except OSError as error:
        raise TlsSetupError(f"{key} {path} cannot be read: {error.strerror}") from error
    if len(data) > _FILE_MAX:
        raise TlsSetupError(f"{key} {path} is larger than {_FILE_MAX} bytes, which no such file is")
    return data
