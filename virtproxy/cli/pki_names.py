# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks at the patterns of tls_allowed_dn_list: can they match anything, and which issued certificates do they match.

pki_inspect.py asks. The daemon takes any pattern; one that is misspelt lets nobody in, and nobody can see why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from virtproxy.auth.distinguished_name import name_allowed
from virtproxy.cli.certificates_ledger import Entry

_BETWEEN = re.compile(r"(?<!\\)[,+]")
# What other tools write, and how libvirt (GnuTLS) writes the same.
_OTHER_SPELLINGS = {"emailAddress": "EMAIL", "E": "EMAIL", "S": "ST", "SN": "surName", "GN": "givenName"}
_SHOWN_MAX = 10


def pattern_fault(pattern: str) -> str | None:
    """Why ``pattern`` can match no name, and what to write instead; None if it can."""
    if not pattern:
        return "it is empty, which no name is"
    if pattern.startswith("/"):
        return 'it is spelt with slashes: write "C=GB,O=Example,CN=alice", as virt-pki-query-dn prints it'
    if re.search(r"(?<!\\)[,+]\s", pattern):
        return "it has a blank after a comma: libvirt writes names without"
    # A star may stand for anything: only what lies between two commas is a part for certain.
    for part in _BETWEEN.split(pattern):
        name, equals, _ = part.partition("=")
        if not equals and "*" not in part and "?" not in part:
            return f'"{part}" in it is no part of a name, which is written KEY=value; a comma in a value is written \\,'
        if name in _OTHER_SPELLINGS:
            return f'"{name}=" is written "{_OTHER_SPELLINGS[name]}=" here'
        if equals and name.upper() in ("C", "O", "OU", "CN", "L", "ST") and not name.isupper():
            return f'"{name}=" is written "{name.upper()}=" here'
    return None


def pattern_notes(patterns: Sequence[str], issued: Sequence[Entry]) -> Iterator[tuple[bool, str]]:
    """For each pattern which certificates it matches; False where that should make one think."""
    clients = [one for one in issued if one.kind == "client" and not one.revoked]
    for pattern in patterns:
        if not pattern.strip("*"):
            yield False, f'tls_allowed_dn_list "{pattern}" lets in whoever has a valid certificate'
        elif clients:
            yield _matches(pattern, clients)


def _matches(pattern: str, clients: list[Entry]) -> tuple[bool, str]:
    found = [one.subject for one in clients if name_allowed(one.subject, [pattern])]
    if not found:
        return False, f'tls_allowed_dn_list "{pattern}" matches no client\'s certificate that was issued'
    more = f" and {len(found) - _SHOWN_MAX} more" if len(found) > _SHOWN_MAX else ""
    return True, f'tls_allowed_dn_list "{pattern}" matches {"; ".join(found[:_SHOWN_MAX])}{more}'
