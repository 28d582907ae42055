# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a certificate authority and issues server and client certificates, as files.

`virtproxy pki` and `virtproxy demo` call it. The directory is laid out as libvirt's URI parameter pkipath wants
it; nothing that exists is ever overwritten. Only cli/ may use this: daemons never make certificates.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virtproxy.cli.output import CommandError

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397
_ORGANIZATION = "virtproxy"
# A peer whose clock is a little behind must not find a certificate of today not yet valid.
_CLOCK_SKEW = datetime.timedelta(hours=1)
_COMMON_NAME_MAX = 64  # RFC 5280, appendix A.1: ub-common-name
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:\*\.)?[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


def create_authority(directory: Path, name: str = "virtproxy CA", days: int = AUTHORITY_DAYS) -> list[Path]:
    """Make cacert.pem and cakey.pem in `directory` (made if missing, for its owner only); returns both.

    CommandError if one exists, or cannot be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        _builder(subject, subject, key, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    return _write_pair(directory, "ca", builder.sign(key, hashes.SHA256()), key)


def issue_server(directory: Path, hosts: Iterable[str], days: int = CERTIFICATE_DAYS) -> list[Path]:
    """Make servercert.pem and serverkey.pem for `hosts`, names and addresses, the first also its common name.

    The authority is that of `directory`. Returns both; CommandError if one exists or the authority is missing.
    """
    names = list(dict.fromkeys(hosts))
    if not names:
        raise CommandError("a server's certificate needs at least one host name or address")
    alternatives = x509.SubjectAlternativeName([_host(name) for name in names])
    # Only people read a server's common name; a long host name has no room in it.
    return _issue(directory, "server", names[0][:_COMMON_NAME_MAX], days, alternatives)


def issue_client(directory: Path, name: str, days: int = CERTIFICATE_DAYS) -> list[Path]:
    """Make clientcert.pem and clientkey.pem with the common name `name`; otherwise as `issue_server`."""
    return _issue(directory, "client", name, days, None)


def _issue(
    directory: Path, end: str, name: str, days: int, alternatives: x509.SubjectAlternativeName | None
) -> list[Path]:
    authority, authority_key = _load_authority(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), authority.subject, key, authority_key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSES[end]]), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return _write_pair(directory, end, builder.sign(authority_key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    try:
        end = now + datetime.timedelta(days=days)
    except OverflowError:
        raise CommandError(f"{days} days are more than a certificate can be valid") from None
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    if not 0 < len(common_name) <= _COMMON_NAME_MAX:
        raise CommandError(f'a name must have 1 to {_COMMON_NAME_MAX} characters, "{common_name}" has not')
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if not _HOST_NAME.fullmatch(name):
        raise CommandError(
            f'"{name}" is neither an address nor a host name in ASCII (write an international name as xn--...)'
        )
    return x509.DNSName(name)


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        # Only RSA could need it, but libvirt before 10.3 refuses a certificate without.
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load_authority(directory: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((directory / "cacert.pem").read_bytes())
        key = load_pem_private_key((directory / "cakey.pem").read_bytes(), None)
    except FileNotFoundError as error:
        raise CommandError(f'{error.filename} does not exist: make it first, with "virtproxy pki ca"') from None
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        raise CommandError(f"{directory} holds no usable authority (cacert.pem and cakey.pem): {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CommandError(f"{directory / 'cakey.pem'} was not made by this tool: issue certificates with yours")
    return certificate, key


def _write_pair(
    directory: Path, stem: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> list[Path]:
    cert_file, key_file = directory / f"{stem}cert.pem", directory / f"{stem}key.pem"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (cert_file, key_file):
            if path.exists() or path.is_symlink():
                raise FileExistsError(None, "it exists", str(path))
        # The certificate comes last: where it is, the pair is complete.
        _write(key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
        _write(cert_file, certificate.public_bytes(Encoding.PEM), 0o644)
    except FileExistsError as error:
        raise CommandError(
            f"{error.filename} exists and is not overwritten: move it away first, or use another directory"
        ) from None
    except OSError as error:
        raise CommandError(f"{error.filename or directory} cannot be written: {error.strerror}") from None
    return [cert_file, key_file]


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a new file that appears whole or not at all; FileExistsError if there is one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError as error:
            raise FileExistsError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
