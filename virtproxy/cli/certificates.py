# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a certificate authority and issues server and client certificates, as files.

`virtproxy pki` and `virtproxy demo` call it. The directory is laid out as libvirt's URI parameter pkipath wants
it; nothing that exists is overwritten unless it is to be replaced. Every certificate is entered in the ledger. Only
cli/ may use this: daemons never make certificates.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from virtproxy.cli import certificates_files as files
from virtproxy.cli import certificates_ledger as ledger
from virtproxy.cli.certificates_hosts import general_name
from virtproxy.cli.output import CommandError

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 397
ORGANIZATION = "virtproxy"
# A peer whose clock is a little behind must not find a certificate of today not yet valid.
_CLOCK_SKEW = datetime.timedelta(hours=1)
_NAME_MAX = 64  # RFC 5280, appendix A.1: ub-common-name and its like
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True, slots=True)
class Person:
    """Whose a client's certificate is: the parts of its distinguished name, O= OU= CN=, and alternative names."""

    name: str
    organization: str = ORGANIZATION
    units: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """Where a certificate goes and how long it is valid: ``out`` is the authority's directory unless given."""

    days: int = CERTIFICATE_DAYS
    out: Path | None = None
    replace: bool = False


def create_authority(
    directory: Path, name: str = "virtproxy CA", days: int = AUTHORITY_DAYS, organization: str = ORGANIZATION
) -> list[Path]:
    """Make cacert.pem and cakey.pem in `directory` (made if missing, for its owner only); returns both.

    CommandError if one exists, or cannot be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(Person(name, organization))
    builder = (
        _builder(subject, subject, key, key, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
    )
    with files.locked(directory):
        return files.write_pair(directory, "ca", builder.sign(key, hashes.SHA256()), key, replace=False)


def issue_server(directory: Path, hosts: Iterable[str], issue: Issue = Issue()) -> list[Path]:
    """Make servercert.pem and serverkey.pem for `hosts`, names and addresses, the first also its common name.

    The authority is that of `directory`. Returns both, and cacert.pem if that was put beside them; CommandError if one
    exists or the authority is missing.
    """
    names = list(dict.fromkeys(hosts))
    if not names:
        raise CommandError("a server's certificate needs at least one host name or address")
    alternatives = x509.SubjectAlternativeName([general_name(name) for name in names])
    # Only people read a server's common name; a long host name has no room in it.
    return _issue(directory, "server", Person(names[0][:_NAME_MAX]), alternatives, issue)


def issue_client(directory: Path, person: Person | str, issue: Issue = Issue()) -> list[Path]:
    """Make clientcert.pem and clientkey.pem for `person` (text: the common name); otherwise as `issue_server`."""
    person = Person(person) if isinstance(person, str) else person
    names: list[x509.GeneralName] = [x509.RFC822Name(_checked(_EMAIL, email, "an e-mail")) for email in person.emails]
    names += [x509.UniformResourceIdentifier(_checked(_URI, uri, "a URI")) for uri in person.uris]
    return _issue(directory, "client", person, x509.SubjectAlternativeName(names) if names else None, issue)


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise CommandError(f'"{text}" is not {what} in ASCII')
    return text


def _issue(
    directory: Path, end: str, person: Person, alternatives: x509.SubjectAlternativeName | None, issue: Issue
) -> list[Path]:
    authority, authority_key = files.load_authority(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(person), authority.subject, key, authority_key, issue.days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_PURPOSES[end]]), critical=False)
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    certificate = builder.sign(authority_key, hashes.SHA256())
    out = directory if issue.out is None else issue.out
    with files.locked(directory):
        beside = _place(out, authority) if out.absolute() != directory.absolute() else []
        files.check_free(out, end, replace=issue.replace)
        # What is not in the ledger could not be revoked by name: it comes first.
        ledger.add(directory, certificate)
        return files.write_pair(out, end, certificate, key, replace=issue.replace) + beside


def _place(out: Path, authority: x509.Certificate) -> list[Path]:
    """Make the directory `out` with the authority's certificate in it: a whole pkipath."""
    path, data = out / "cacert.pem", authority.public_bytes(Encoding.PEM)
    with files.told(out, "written"):
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and files.read(path) == data:
            return []
        try:
            files.write(path, data, files.PUBLIC, replace=False)
        except FileExistsError:
            raise CommandError(f"{path} is another authority's: choose another --out") from None
    return [path]


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


def _name(person: Person) -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, person.organization)]
    parts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in person.units]
    parts.append((NameOID.COMMON_NAME, person.name))
    for _, text in parts:
        if not 0 < len(text) <= _NAME_MAX or not text.isprintable():
            raise CommandError(f'a name must have 1 to {_NAME_MAX} characters that can be seen, "{text}" has not')
    return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])


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
