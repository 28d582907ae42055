# SPDX-License-Identifier: LGPL-2.1-or-later
"""A certificate's subject alternative names as a policy writes them: "DNS:host", "email:user@host", "URI:spiffe://a/b".

tls_verify.py asks for those of a client; nothing here decides who may connect.
"""

from __future__ import annotations

from cryptography import x509

from virtproxy.auth.tls_files import MALFORMED

# RFC 5280, 4.2.1.6; other kinds of names are left out.
_PREFIXES: tuple[tuple[type[x509.GeneralName], str], ...] = (
    (x509.DNSName, "DNS"),
    (x509.RFC822Name, "email"),
    (x509.UniformResourceIdentifier, "URI"),
    (x509.IPAddress, "IP"),
)


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names, in the order of the certificate, DNS names in small letters; () if it has none that can be read."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, *MALFORMED):
        return ()
    return tuple(name for name in map(_spell, extension.value) if name is not None)


def _spell(name: x509.GeneralName) -> str | None:
    for kind, prefix in _PREFIXES:
        if isinstance(name, kind):
            text = str(name.value).lower() if prefix == "DNS" else str(name.value)
            return f"{prefix}:{text}" if text.isprintable() else None
    return None
