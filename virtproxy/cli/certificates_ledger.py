# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ledger of an authority's directory, issued.json: every certificate it has issued, and which it took back.

Issuing adds to it, revoking marks in it, ``virtproxy pki list`` shows it. The revocation list is made from it; it
holds no secret. Certificates that were issued before there was a ledger can be added.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from cryptography import x509

from virtproxy.auth.alternative_names import alternative_names
from virtproxy.auth.certificate_rules import end_problems
from virtproxy.auth.tls_expiry import shown_name
from virtproxy.auth.tls_files import validity
from virtproxy.cli import certificates_files as files
from virtproxy.cli.output import CommandError

NAME = "issued.json"
_FORMAT = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate. ``serial`` in hexadecimal digits, times as 2030-01-31T12:00:00Z, ``revoked`` empty if it is not.

    ``subject`` and ``names`` are written as policies and tls_allowed_dn_list have them.
    """

    serial: str
    kind: str
    subject: str
    names: tuple[str, ...]
    not_before: str
    not_after: str
    revoked: str = ""
    reason: str = ""

    @property
    def until(self) -> datetime.datetime:
        """When it ends, in UTC."""
        return moment(self.not_after)

    def days_left(self, now: datetime.datetime) -> float:
        """Days from ``now`` until it ends."""
        return (self.until - now) / datetime.timedelta(days=1)


def moment(text: str) -> datetime.datetime:
    """The UTC time that an entry writes as ``text``; ValueError if it is none."""
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.UTC)


def shown(when: datetime.datetime) -> str:
    """A UTC time as an entry writes it."""
    return when.strftime(_TIME)


def entry_of(certificate: x509.Certificate) -> Entry:
    """What the ledger says of a certificate."""
    start, end = validity(certificate)
    return Entry(
        serial=f"{certificate.serial_number:x}",
        kind="server" if not end_problems(certificate, "server") else "client",
        subject=shown_name(certificate.subject),
        names=alternative_names(certificate),
        not_before=shown(start),
        not_after=shown(end),
    )


def load(directory: Path) -> list[Entry]:
    """Every entry of the directory's ledger, oldest first; none if there is no ledger. CommandError if it is broken."""
    path = directory / NAME
    try:
        found = json.loads(files.read(path))
        if found["format"] != _FORMAT:
            raise CommandError(f"{path} was written by a newer version of virtproxy: use that")
        return [_entry(one) for one in found["certificates"]]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CommandError(f"{path} is broken ({type(error).__name__}): restore it from a backup") from None


def _entry(found: dict[str, Any]) -> Entry:
    if set(found) != {field.name for field in fields(Entry)}:
        raise ValueError("an entry has other fields")
    names = found.pop("names")
    texts = [*found.values(), *names]
    if not isinstance(names, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError("an entry has values of another type")
    entry = Entry(**found, names=tuple(names))
    int(entry.serial, 16), moment(entry.not_before), entry.until
    if entry.revoked:
        moment(entry.revoked)
    return entry


def save(directory: Path, entries: Iterable[Entry]) -> None:
    """Replace the directory's ledger. CommandError if it cannot be written."""
    held = {"format": _FORMAT, "certificates": [asdict(entry) for entry in entries]}
    with files.told(directory / NAME, "written"):
        files.write(directory / NAME, json.dumps(held, indent=1).encode() + b"\n", files.SECRET, replace=True)


def add(directory: Path, certificate: x509.Certificate) -> None:
    """Enter a certificate that was issued; the directory is locked."""
    save(directory, [*load(directory), entry_of(certificate)])


def revoked(entry: Entry, when: datetime.datetime, reason: str) -> Entry:
    """The entry of a certificate that is taken back."""
    return replace(entry, revoked=shown(when), reason=reason)
