# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `virtproxy pki` makes and takes back: init, server, client, revoke, crl.

pki.py calls a function by the command's name. What is written where is the business of the certificates modules.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from virtproxy.cli import certificates, certificates_crl
from virtproxy.cli.certificates import Issue, Person
from virtproxy.cli.certificates_files import load_certificate
from virtproxy.cli.certificates_hosts import dial_warnings
from virtproxy.cli.certificates_ledger import entry_of
from virtproxy.cli.output import Narrator

_DISTRIBUTE = (
    "daemons know of it once they have the new list (virtproxy pki install crl); one that runs takes it over, "
    "and whoever is connected stays until he leaves"
)


def init(options: argparse.Namespace) -> int:
    """Make an authority."""
    _wrote(certificates.create_authority(options.dir, options.name, options.days, options.organization))
    Narrator().note(f"who has {options.dir / 'cakey.pem'} can let anybody in: keep it from daemons and clients")
    return 0


def server(options: argparse.Namespace) -> int:
    """Issue a server's certificate, and say what may keep clients from believing it."""
    made = certificates.issue_server(options.dir, options.host or [socket.getfqdn()], _issue(options))
    tell = _wrote(made)
    for warning in dial_warnings(load_certificate(made[0])):
        tell.note(warning)
    return 0


def client(options: argparse.Namespace) -> int:
    """Issue a client's certificate, and say how rules know it."""
    person = Person(options.name, options.organization, tuple(options.unit), tuple(options.email), tuple(options.uri))
    made = certificates.issue_client(options.dir, person, _issue(options))
    tell, entry = _wrote(made), entry_of(load_certificate(made[0]))
    tell.note(f'tls_allowed_dn_list knows it as "{entry.subject}"')
    for name in entry.names:
        tell.note(f'a policy also knows it as "{name}"')
    return 0


def revoke(options: argparse.Namespace) -> int:
    """Take certificates back."""
    taken = certificates_crl.revoke(options.dir, options.what, options.reason, every=options.all, days=options.days)
    tell = Narrator()
    for entry in taken:
        tell.done(f'revoked {entry.kind} "{entry.subject}", serial number {entry.serial}')
    _wrote([options.dir / certificates_crl.NAME])
    tell.note(_DISTRIBUTE)
    return 0


def crl(options: argparse.Namespace) -> int:
    """Write the revocation list anew."""
    _wrote([certificates_crl.refresh(options.dir, options.days)])
    return 0


def _issue(options: argparse.Namespace) -> Issue:
    return Issue(options.days, options.out, options.replace)


def _wrote(made: list[Path]) -> Narrator:
    tell = Narrator()
    for path in made:
        tell.done(f"wrote {path}")
    return tell
