# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a peer's certificate turned out to be: collected while OpenSSL verifies, judged after the handshake.

The handshake itself never fails over a certificate, so that the log can name the one that was refused. It
is `PeerCertificate.problems` that decides, and without a single good word from OpenSSL it decides against.
"""

from __future__ import annotations

from cryptography import x509
from OpenSSL import SSL, crypto

from virtproxy.auth.alternative_names import alternative_names
from virtproxy.auth.certificate_rules import end_problems
from virtproxy.auth.distinguished_name import name_allowed, subject_of
from virtproxy.auth.tls_files import MALFORMED

# X509_V_ERR_* of openssl/x509_vfy.h, in words that tell an administrator what to do.
_CHAIN_PROBLEMS = {
    2: "its issuer's certificate is not known here",
    4: "its signature cannot be decrypted",
    6: "its issuer's public key cannot be read",
    7: "its signature is not its issuer's",
    8: "the signature of the revocation list is not its issuer's",
    9: "it is not yet valid",
    10: "it has expired",
    11: "the revocation list is not yet valid",
    12: "the revocation list is out of date",
    13: "its start date is malformed",
    14: "its end date is malformed",
    15: "the date of the revocation list is malformed",
    16: "the next date of the revocation list is malformed",
    18: "it is self-signed and not one of ours",
    19: "its authority is self-signed and not one of ours",
    20: "its issuer is not one of our authorities",
    21: "its issuer is not one of our authorities",
    22: "its chain is too long",
    23: "it has been revoked",
    24: "its issuer is not allowed to be an authority",
    25: "its chain is longer than its authority allows",
    26: "an authority above it is not for this purpose",
    29: "it and its issuer do not name the same authority",
    30: "it and its issuer do not name the same key",
    31: "it and its issuer do not name the same serial number",
    32: "its issuer is not allowed to sign certificates",
    34: "it has a critical extension that is not known here",
    35: "the revocation list's issuer is not allowed to sign it",
    36: "the revocation list has a critical extension that is not known here",
    66: "its key is too weak",
    67: "an authority's key is too weak",
    68: "it was signed with a digest that is too weak",
}
_NO_REVOCATION_LIST = 3  # GnuTLS too asks only the lists it has: an authority need not publish one
_WRONG_PURPOSE = 26

_LOG_MAX = 1024


class PeerCertificate:
    """What became known about the peer's certificate during one handshake."""

    __slots__ = ("_leaf_seen", "_problems", "name", "sans")

    def __init__(self) -> None:
        self._problems: list[str] = []
        self._leaf_seen = False
        # Its distinguished name, known as soon as it was seen, whatever became of it.
        self.name: str | None = None
        # Its alternative names, known once it was judged.
        self.sans: tuple[str, ...] = ()

    def saw(self, certificate: crypto.X509, code: int, depth: int) -> None:
        """Take what OpenSSL says of one certificate of the chain; depth 0 is the peer's own."""
        if depth == 0:
            self._leaf_seen = True
            self.name = self.name or _name_or_none(certificate)
        if code == 0 or code == _NO_REVOCATION_LIST or (code == _WRONG_PURPOSE and depth == 0):
            return  # the last is judged by `end_problems`, which knows the purpose "any" as well
        problem = _CHAIN_PROBLEMS.get(code, f"OpenSSL refuses it with error {code}")
        if problem not in self._problems:
            self._problems.append(problem)

    def problems(self, connection: SSL.Connection, end: str, allowed: tuple[str, ...] | None) -> list[str]:
        """Why the peer of `connection`, as a TLS `end` ("client" or "server"), is to be refused; [] if it is good."""
        peer = connection.get_peer_certificate()
        if peer is None:
            return [f"the {end} sent no certificate"]
        certificate = parsed(peer)
        if certificate is None:
            return ["it is malformed"]
        self.name = _name_or_none(peer)
        if self.name is None:
            return ["its distinguished name is empty or malformed"]
        self.sans = alternative_names(certificate)
        found = self._problems + end_problems(certificate, end)
        if not self._leaf_seen:
            found.append("it was not verified")
        if allowed is not None and not name_allowed(self.name, allowed):
            found.append("its distinguished name is not on tls_allowed_dn_list")
        return found


def note_verification(connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, ok: int) -> bool:
    """OpenSSL's verify callback: note what it says, and go on. The connection carries its TlsTransport."""
    del ok  # the code says the same
    peer: PeerCertificate = connection.get_app_data().peer
    peer.saw(certificate, code, depth)
    return True


def printable(text: str) -> str:
    """`text` of a peer for a log line: one line, of bounded length, without control characters."""
    shown = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text[:_LOG_MAX])
    return shown + ("..." if len(text) > _LOG_MAX else "")


def parsed(certificate: crypto.X509) -> x509.Certificate | None:
    """`certificate` as cryptography has it; None if it is malformed in a way that only OpenSSL can live with."""
    try:
        return certificate.to_cryptography()
    except MALFORMED:
        return None


def _name_or_none(certificate: crypto.X509) -> str | None:
    found = parsed(certificate)
    try:
        return None if found is None else subject_of(found)
    except MALFORMED:
        return None
