# SPDX-License-Identifier: LGPL-2.1-or-later
"""`virtproxy pki list`: what an authority has issued, what of it is still good, and what ends soon.

pki.py calls it. It only reads.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from virtproxy.auth.tls_expiry import shown_name
from virtproxy.auth.tls_files import next_update
from virtproxy.cli import certificates_crl, certificates_ledger
from virtproxy.cli.certificates_files import load_certificate
from virtproxy.cli.certificates_ledger import Entry
from virtproxy.cli.output import GREEN, RED, YELLOW, paint

NEEDS_YOU = 3
_COLOURS = {"good": GREEN, "ends soon": YELLOW, "expired": RED}
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list. ``state``: good, ends soon, expired, revoked, or replaced by a newer one of its name."""

    kind: str
    subject: str
    serial: str
    not_after: str
    days_left: int
    state: str
    names: tuple[str, ...] = ()
    revoked: str = ""
    reason: str = ""


def list_issued(options: argparse.Namespace) -> int:
    """Show it all; NEEDS_YOU if something that is in use has ended or does so within --warn days."""
    now = datetime.datetime.now(datetime.UTC)
    rows = [*_own(options.dir, now, options.warn), *_issued(options.dir, now, options.warn)]
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        _show(rows)
    return NEEDS_YOU if any(row.state in ("ends soon", "expired") for row in rows) else 0


def _own(directory: Path, now: datetime.datetime, warn: int) -> tuple[Row, ...]:
    """The authority and its revocation list."""
    authority = certificates_ledger.entry_of(load_certificate(directory / "cacert.pem"))
    first = _row(authority, now, _state(authority.days_left(now), warn), kind="authority")
    revocations = certificates_crl.load_list(directory)
    until = None if revocations is None else next_update(revocations)
    if revocations is None or until is None:
        return (first,)
    left = (until - now) / _DAY
    name, end = shown_name(revocations.issuer), certificates_ledger.shown(until)
    return first, Row("crl", name, "", end, int(left // 1), _state(left, warn))


def _issued(directory: Path, now: datetime.datetime, warn: int) -> tuple[Row, ...]:
    entries = certificates_ledger.load(directory)
    newest = {(one.kind, one.subject): one for one in entries if not one.revoked}
    return tuple(_row(one, now, _state_of(one, newest, now, warn)) for one in entries)


def _state_of(one: Entry, newest: dict[tuple[str, str], Entry], now: datetime.datetime, warn: int) -> str:
    if one.revoked:
        return "revoked"
    state = _state(one.days_left(now), warn)
    return "replaced" if state != "good" and newest[one.kind, one.subject] is not one else state


def _state(left: float, warn: int) -> str:
    return "expired" if left < 0 else "ends soon" if left <= warn else "good"


def _row(one: Entry, now: datetime.datetime, state: str, kind: str | None = None) -> Row:
    left = int(one.days_left(now) // 1)
    return Row(
        kind or one.kind, one.subject, one.serial, one.not_after, left, state, one.names, one.revoked, one.reason
    )


def _show(rows: list[Row]) -> None:
    head = ("WHAT", "STATE", "DAYS LEFT", "UNTIL", "SERIAL NUMBER", "SUBJECT")
    cells = [(r.kind, r.state, "" if r.revoked else str(r.days_left), r.not_after, r.serial, r.subject) for r in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    print("  ".join(map(str.ljust, head, widths)).rstrip())
    for line in cells:
        padded = [*map(str.ljust, line, widths)]
        padded[1] = paint(padded[1], _COLOURS[line[1]], sys.stdout) if line[1] in _COLOURS else padded[1]
        print("  ".join(padded).rstrip())
