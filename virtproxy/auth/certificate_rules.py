# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a certificate must allow for the end that shows it: dates, basic constraints, key usage and purpose.

tls_sanity.py applies this to our own certificates at start-up, tls_verify.py to a peer's after OpenSSL has
judged its chain. Each function returns sentences, and never raises for what a certificate holds.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from virtproxy.auth.tls_files import MALFORMED, validity

# RFC 5280, 4.2.1.12; cryptography's name for it came later than the oldest version we run with.
_ANY_PURPOSE = x509.ObjectIdentifier("2.5.29.37.0")
_PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}

E = TypeVar("E", bound=x509.ExtensionType)


def date_problems(certificate: x509.Certificate, now: datetime.datetime) -> list[str]:
    """Why `certificate` is not valid at `now` (with a time zone)."""
    start, end = validity(certificate)
    if now < start:
        return [f"it is not valid before {start:%Y-%m-%d %H:%M:%S} UTC"]
    if now > end:
        return [f"it expired on {end:%Y-%m-%d %H:%M:%S} UTC"]
    return []


def authority_problems(certificate: x509.Certificate) -> list[str]:
    """Why `certificate` cannot be an authority's."""
    try:
        return list(_authority(certificate))
    except MALFORMED:
        return ["its extensions are malformed"]


def end_problems(certificate: x509.Certificate, end: str) -> list[str]:
    """Why `certificate` cannot be that of a TLS `end`, "server" or "client"."""
    try:
        return list(_end(certificate, end))
    except MALFORMED:
        return ["its extensions are malformed"]


def _authority(certificate: x509.Certificate) -> Iterator[str]:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None:
        yield "it has no basic constraints, so it is not an authority's"
    elif not constraints.ca:
        yield "its basic constraints say that it is not an authority's"
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield "its key usage does not permit signing certificates"


def _end(certificate: x509.Certificate, end: str) -> Iterator[str]:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        yield f"it is an authority's certificate, not a {end}'s"
    usage = _extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        yield "its key usage does not permit digital signatures"
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and _PURPOSES[end] not in purposes and _ANY_PURPOSE not in purposes:
        yield f"its purposes (extended key usage) do not include being a TLS {end}"


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
