# SPDX-License-Identifier: LGPL-2.1-or-later
"""When the files of a TLS end stop being good: certificates, authorities, revocation lists.

A daemon asks for its log and its metrics, ``virtproxy pki check`` for people. Nothing is opened here.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from virtproxy.auth.distinguished_name import format_name
from virtproxy.auth.tls_files import MALFORMED, Credentials, next_update, validity
from virtproxy.auth.tls_settings import TlsSettings

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Expiry:
    """Until when (UTC) one thing in a file is good. ``kind``: "certificate" or "revocation list"."""

    key: str
    file: Path
    kind: str
    subject: str
    until: datetime.datetime

    def days_left(self, now: datetime.datetime) -> float:
        """Days from ``now`` to the end, negative after it."""
        return (self.until - now) / _DAY


def expiries(settings: TlsSettings, credentials: Credentials) -> list[Expiry]:
    """Every end that the files of ``settings`` have: own chain, authorities, revocation lists that name one."""
    return [
        *_certificates("cert_file", settings.cert_file, credentials.chain),
        *_certificates("ca_file", settings.ca_file, credentials.authorities),
        *_revocation_lists(settings, credentials),
    ]


def expiry_warnings(found: list[Expiry], now: datetime.datetime, days: int) -> list[str]:
    """A sentence for each of ``found`` that ends within ``days`` of ``now``, or has ended."""
    return [_sentence(one, now) for one in found if one.days_left(now) <= days]


def shown_name(name: x509.Name) -> str:
    """A distinguished name as libvirt writes it; something a person can read if it is empty or malformed."""
    try:
        return format_name(name.public_bytes())
    except MALFORMED:
        return "(no name)"


def _certificates(key: str, file: Path, certificates: tuple[x509.Certificate, ...]) -> Iterator[Expiry]:
    for one in certificates:
        yield Expiry(key, file, "certificate", shown_name(one.subject), validity(one)[1])


def _revocation_lists(settings: TlsSettings, credentials: Credentials) -> Iterator[Expiry]:
    for one in credentials.revocations:
        until = next_update(one)
        if until is not None and settings.crl_file is not None:
            yield Expiry("crl_file", settings.crl_file, "revocation list", shown_name(one.issuer), until)


def _sentence(one: Expiry, now: datetime.datetime) -> str:
    left, day = one.days_left(now), f"{one.until:%Y-%m-%d %H:%M:%S} UTC"
    if one.kind == "certificate":
        what = f'{one.key} {one.file}: the certificate of "{one.subject}"'
        advice = "put a new one there in time" if left >= 0 else "put a new one there"
        return f"{what} {_ends('expires', 'expired', left, day)}: {advice}"
    what = f'{one.key} {one.file}: the revocation list of "{one.subject}"'
    return (
        f"{what} {_ends('is to be renewed by', 'was to be renewed by', left, day)}: certificates of its authority "
        f"are refused {'from then on' if left >= 0 else 'until it is'} (virtproxy pki crl, or your authority)"
    )


def _ends(future: str, past: str, left: float, day: str) -> str:
    on = "" if future.endswith("by") else " on"
    if left < 0:
        return f"{past}{on} {day}"
    days = int(left)
    return f"{future}{on} {day}, in {days} day{'' if days == 1 else 's'}"
