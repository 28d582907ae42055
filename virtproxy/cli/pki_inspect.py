# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the TLS files of a daemon and says everything that is wrong with them, not only the first thing.

pki_check.py asks. What the daemon itself would refuse is judged by the daemon's own rules (auth/tls_sanity.py); what
it would not notice, and its clients would, comes on top.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from virtproxy.auth.tls_context import server_context
from virtproxy.auth.tls_expiry import expiries, expiry_warnings
from virtproxy.auth.tls_files import Credentials, load_authorities, load_certificates, load_key, load_revocations
from virtproxy.auth.tls_sanity import check_key_matches, sanity_problems
from virtproxy.auth.tls_settings import TlsSettings, TlsSetupError
from virtproxy.cli import certificates_ledger
from virtproxy.cli.certificates_hosts import dial_warnings, host_problem
from virtproxy.cli.output import CommandError
from virtproxy.cli.pki_names import pattern_fault, pattern_notes
from virtproxy.cli.pki_permissions import Reader, access_faults, secret_faults, tamper_faults

# A fault keeps clients out or lets the wrong ones in; a warning may become one; a note is for information.
FAULT, WARNING, NOTE = "fault", "warning", "note"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found; ``problem`` is a sentence with what to do."""

    level: str
    file: str
    problem: str


def inspect(
    tls: TlsSettings, reader: Reader, hosts: list[str], warn_days: int, now: datetime.datetime, directory: Path
) -> list[Finding]:
    """Everything about the files of ``tls`` for a daemon that runs as ``reader``, whose clients dial ``hosts``.

    ``directory`` is the authority's, whose ledger says which certificates there are; it need not exist.
    """
    found: list[Finding] = []
    credentials = _load(tls, reader, found)
    found += _permissions(tls, reader)
    found += _sanity(tls, credentials, now)
    ends = expiries(tls, credentials)
    past = [one for one in ends if one.days_left(now) < 0 and one.kind == "revocation list"]
    soon = [one for one in ends if one.days_left(now) >= 0]
    found += [Finding(FAULT, str(tls.crl_file), text) for text in expiry_warnings(past, now, warn_days)]
    found += [Finding(WARNING, text.split(" ")[1].rstrip(":"), text) for text in expiry_warnings(soon, now, warn_days)]
    found += _names(tls, credentials, hosts)
    found += _rules(tls, directory)
    return found


def _load(tls: TlsSettings, reader: Reader, found: list[Finding]) -> Credentials:
    """What can be read of the files; what cannot is added to ``found``."""

    def part(file: Path | None, load: Callable[[], T], without: T) -> T:
        try:
            return load()
        except TlsSetupError as error:
            found.append(Finding(FAULT, str(file), _explained(error, reader)))
            return without

    return Credentials(
        authorities=part(tls.ca_file, lambda: load_authorities(tls.ca_file), ()),
        revocations=part(tls.crl_file, lambda: load_revocations(tls), ()),
        chain=part(tls.cert_file, lambda: load_certificates(tls.cert_file, "cert_file"), ()),
        key=part(tls.key_file, lambda: load_key(tls.key_file), None),
    )


def _explained(error: TlsSetupError, reader: Reader) -> str:
    if isinstance(error.__cause__, PermissionError) and os.geteuid() != reader.uid:
        return f"{error}: it could not be checked; run this as root or as {reader.name}"
    return str(error)


def _permissions(tls: TlsSettings, reader: Reader) -> Iterator[Finding]:
    for file in (tls.cert_file, tls.key_file, tls.ca_file, tls.crl_file):
        if file is not None:
            for text in (*access_faults(file, reader), *tamper_faults(file, reader)):
                yield Finding(FAULT, str(file), text)
    for text in secret_faults(tls.key_file):
        yield Finding(FAULT if "every user" in text else WARNING, str(tls.key_file), text)
    # Whoever takes the daemon over must not get the authority with it.
    for beside in {file.parent / "cakey.pem" for file in (tls.cert_file, tls.key_file, tls.ca_file)}:
        if beside.exists():
            text = f"{beside} lies beside the daemon's files: whoever gets it can let anybody in; keep it elsewhere"
            yield Finding(WARNING, str(beside), text)
            yield from (Finding(FAULT, str(beside), text) for text in secret_faults(beside))


def _sanity(tls: TlsSettings, credentials: Credentials, now: datetime.datetime) -> Iterator[Finding]:
    for problem in sanity_problems(tls, credentials, "server", now):
        yield Finding(FAULT, problem.split(" ")[1].rstrip(":"), f"{problem}: replace it")
    if not credentials.chain or credentials.key is None:
        return
    own = credentials.chain[0]
    if any(entry.serial_number == own.serial_number for revoked in credentials.revocations for entry in revoked):
        text = (
            f"cert_file {tls.cert_file} is on the revocation list itself: clients that have it will refuse the daemon"
        )
        yield Finding(FAULT, str(tls.cert_file), f"{text}; issue another")
    try:
        check_key_matches(tls, credentials)
        server_context(tls, credentials)
    except TlsSetupError as error:
        yield Finding(FAULT, str(tls.key_file), str(error))


def _names(tls: TlsSettings, credentials: Credentials, hosts: list[str]) -> Iterator[Finding]:
    if not credentials.chain:
        return
    own, file = credentials.chain[0], str(tls.cert_file)
    for host in hosts:
        problem = host_problem(own, host)
        if problem is not None:
            yield Finding(FAULT, file, f"cert_file {file}: {problem}")
    for warning in dial_warnings(own):
        yield Finding(FAULT if "no alternative names" in warning else WARNING, file, f"cert_file {file}: {warning}")


def _rules(tls: TlsSettings, directory: Path) -> Iterator[Finding]:
    key = "tls_allowed_dn_list"
    if tls.no_verify:
        text = "tls_no_verify_certificate = 1 lets in whoever reaches the port: remove it"
        yield Finding(FAULT, "tls_no_verify_certificate", text)
    if tls.allowed_dns == ():
        yield Finding(FAULT, key, f"{key} is empty and lets nobody in: remove it, or name somebody")
    patterns = tls.allowed_dns or ()
    for pattern in patterns:
        fault = pattern_fault(pattern)
        if fault is not None:
            yield Finding(FAULT, key, f'{key} "{pattern}" can match nobody: {fault}')
    try:
        issued = certificates_ledger.load(directory)
    except CommandError as error:
        yield Finding(WARNING, str(directory), str(error))
        return
    for good, text in pattern_notes([one for one in patterns if pattern_fault(one) is None], issued):
        yield Finding(NOTE if good else WARNING, key, text)
