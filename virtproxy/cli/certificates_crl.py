# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes certificates back, and writes the revocation list that tells daemons of it: cacrl.pem.

``virtproxy pki revoke`` and ``crl`` call it. The list is made from the ledger and from the list that is there, so
that losing one of them lets nobody in again.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from virtproxy.auth.tls_files import MALFORMED, validity
from virtproxy.cli import certificates_files as files
from virtproxy.cli import certificates_ledger as ledger
from virtproxy.cli.certificates_ledger import Entry
from virtproxy.cli.output import CommandError

NAME = "cacrl.pem"
CRL_DAYS = 365
# How the command line writes a reason (RFC 5280, 5.3.1), and as what it is known.
REASONS: dict[str, x509.ReasonFlags] = {
    "key-compromise": x509.ReasonFlags.key_compromise,
    "affiliation-changed": x509.ReasonFlags.affiliation_changed,
    "superseded": x509.ReasonFlags.superseded,
    "cessation-of-operation": x509.ReasonFlags.cessation_of_operation,
}
_SKEW = datetime.timedelta(hours=1)


def revoke(directory: Path, what: str, reason: str = "", *, every: bool = False, days: int = CRL_DAYS) -> list[Entry]:
    """Take back what ``what`` names: a certificate's file, a serial number, a common or distinguished name.

    A name that several certificates have is refused unless ``every`` one is meant. Returns what was taken back;
    cacrl.pem is written anew. CommandError if nothing fits, or it was all taken back before.
    """
    authority, _ = files.load_authority(directory)
    with files.locked(directory):
        entries = _with_file(ledger.load(directory), what, authority)
        chosen = _chosen(entries, what, every)
        now = datetime.datetime.now(datetime.UTC)
        taken = {one.serial: ledger.revoked(one, now, reason) for one in chosen}
        after = [taken.get(one.serial, one) for one in entries]
        ledger.save(directory, after)
        _write_list(directory, after, days)
    return list(taken.values())


def refresh(directory: Path, days: int = CRL_DAYS) -> Path:
    """Write cacrl.pem anew, good for ``days`` days more; returns its path."""
    with files.locked(directory):
        return _write_list(directory, ledger.load(directory), days)


def load_list(directory: Path) -> x509.CertificateRevocationList | None:
    """The revocation list of a directory; None if there is none. CommandError if it is broken."""
    path = directory / NAME
    try:
        return x509.load_pem_x509_crl(files.read(path))
    except FileNotFoundError:
        return None
    except MALFORMED:
        raise CommandError(f"{path} is broken: move it away, the ledger {ledger.NAME} has what was revoked") from None


def _with_file(entries: list[Entry], what: str, authority: x509.Certificate) -> list[Entry]:
    """The entries, and the certificate of the file ``what`` if it is one that the ledger does not know."""
    path = Path(what)
    if not path.is_file():
        return entries
    certificate = files.load_certificate(path)
    if certificate.issuer != authority.subject or not _issued(certificate, authority):
        raise CommandError(f"{path} was not issued by this authority, which cannot revoke it")
    known = any(one.serial == f"{certificate.serial_number:x}" for one in entries)
    return entries if known else [*entries, ledger.entry_of(certificate)]


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    from OpenSSL import crypto

    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(authority))
    # What has expired may be revoked all the same.
    store.set_time(validity(certificate)[0].replace(tzinfo=None) + datetime.timedelta(seconds=1))
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate)).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def _chosen(entries: list[Entry], what: str, every: bool) -> list[Entry]:
    found = _named(entries, what)
    if not found:
        raise CommandError(f'no certificate that was issued here is "{what}": "virtproxy pki list" shows them')
    left = [one for one in found if not one.revoked]
    if not left:
        raise CommandError(f'"{what}" was revoked before, on {found[-1].revoked}')
    if len(left) > 1 and not every:
        serials = ", ".join(one.serial for one in left)
        raise CommandError(
            f'"{what}" has {len(left)} certificates: name one by its serial number ({serials}), or --all'
        )
    return left


def _named(entries: list[Entry], what: str) -> list[Entry]:
    path = Path(what)
    if path.is_file():
        serial = f"{files.load_certificate(path).serial_number:x}"
    else:
        serial = what.lower().replace(":", "").removeprefix("0x").lstrip("0")
    by_serial = [one for one in entries if one.serial == serial]
    return by_serial or [one for one in entries if what == one.subject or one.subject.endswith(f",CN={what}")]


def _write_list(directory: Path, entries: list[Entry], days: int) -> Path:
    authority, key = files.load_authority(directory)
    now = datetime.datetime.now(datetime.UTC)
    old = load_list(directory)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now - _SKEW)
        .next_update(now + datetime.timedelta(days=days))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(_number(old) + 1), critical=False)
    )
    known = {int(one.serial, 16): _taken_back(one) for one in entries if one.revoked}
    for before in old or ():
        known.setdefault(before.serial_number, before)
    for certificate in known.values():
        builder = builder.add_revoked_certificate(certificate)
    data = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    with files.told(directory / NAME, "written"):
        files.write(directory / NAME, data, files.PUBLIC, replace=True)
    return directory / NAME


def _number(old: x509.CertificateRevocationList | None) -> int:
    try:
        return 0 if old is None else old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def _taken_back(entry: Entry) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(int(entry.serial, 16))
        .revocation_date(ledger.moment(entry.revoked))
    )
    if entry.reason in REASONS:
        builder = builder.add_extension(x509.CRLReason(REASONS[entry.reason]), critical=False)
    return builder.build()
