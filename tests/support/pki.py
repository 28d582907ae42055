# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates of every kind a test of TLS needs, good and bad.

The tests of auth and of the daemon's TLS port make them. Keys are shared to be quick: they protect nothing.
"""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

DAY = datetime.timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
ANY = ObjectIdentifier("2.5.29.37.0")


@functools.cache
def shared_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    """A private key; the same for the same number."""
    del number
    return ec.generate_private_key(ec.SECP256R1())


Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def key_pem(key: Key) -> bytes:
    """The key as a file holds it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def usage(**allowed: bool) -> x509.KeyUsage:
    """A key usage with nothing in it but what is named."""
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


LEAF_USAGE = usage(digital_signature=True, key_encipherment=True)
AUTHORITY_USAGE = usage(key_cert_sign=True, crl_sign=True)


@dataclass(frozen=True)
class Leaf:
    """What a certificate is to say; the defaults make a good client's. Days are counted from today."""

    name: str = "client"
    country: str = "GB"
    purposes: tuple[ObjectIdentifier, ...] | None = (CLIENT,)
    key_usage: x509.KeyUsage | None = LEAF_USAGE
    days: tuple[int, int] = (-1, 30)
    authority: bool = False
    hosts: tuple[x509.GeneralName, ...] = ()


class Authority:
    """A certificate authority that issues whatever it is told to."""

    def __init__(self, name: str = "Test CA", number: int = 0, days: tuple[int, int] = (-2, 60)) -> None:
        self.key = shared_key(number)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(
            _builder(self.name, self.name, self.key, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(AUTHORITY_USAGE, critical=True)
        )

    def issue(self, leaf: Leaf, key: Key | None = None) -> x509.Certificate:
        """The certificate that `leaf` describes."""
        builder = _builder(distinguished_name(leaf), self.name, key or shared_key(9), leaf.days)
        builder = builder.add_extension(x509.BasicConstraints(ca=leaf.authority, path_length=None), critical=True)
        if leaf.key_usage is not None:
            builder = builder.add_extension(leaf.key_usage, critical=True)
        if leaf.purposes is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage(leaf.purposes), critical=False)
        if leaf.hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(leaf.hosts), critical=False)
        return self._sign(builder)

    def revocation_list(self, *revoked: x509.Certificate, days: tuple[int, int] = (-1, 30)) -> bytes:
        """A revocation list in PEM."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now + days[0] * DAY).next_update(now + days[1] * DAY)
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.key, hashes.SHA256())


def distinguished_name(leaf: Leaf) -> x509.Name:
    """The subject of a leaf: "C=GB,O=Org\\, Inc,CN=client" as libvirt writes it."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, leaf.country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Org, Inc"),
            x509.NameAttribute(NameOID.COMMON_NAME, leaf.name),
        ]
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, days: tuple[int, int]) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
    )


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as a file holds it."""
    return certificate.public_bytes(Encoding.PEM)


def write_pair(directory: Path, stem: str, certificate: x509.Certificate, key: Key | None = None) -> None:
    """Write STEMcert.pem and STEMkey.pem; the key is the one that `Authority.issue` uses if none is given."""
    (directory / f"{stem}cert.pem").write_bytes(pem(certificate))
    key_file = directory / f"{stem}key.pem"
    key_file.write_bytes(key_pem(key or shared_key(9)))
    key_file.chmod(0o600)
