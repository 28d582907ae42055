# SPDX-License-Identifier: LGPL-2.1-or-later
"""A certificate's distinguished name as libvirt spells it, and the globs of tls_allowed_dn_list.

libvirt takes the spelling of GnuTLS's gnutls_x509_crt_get_dn(): the parts in the order of the certificate,
"C=GB,ST=London,O=Example,CN=client1", escaped as in RFC 4514. `virt-pki-query-dn` prints the same.
tls_verify.py asks for both; nothing here decides who may connect.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryptography import x509

# Tags of the ASN.1 strings (X.690, 8.1.2).
_UTF8, _NUMERIC, _PRINTABLE, _T61, _IA5, _UNIVERSAL, _BMP = 12, 18, 19, 20, 22, 28, 30
_SEQUENCE, _SET, _OID = 0x30, 0x31, 6

# The strings that X.520 lets an attribute be; GnuTLS shows any other as hexadecimal digits.
_DIRECTORY = frozenset({_UTF8, _PRINTABLE, _T61, _UNIVERSAL, _BMP})
_ONLY_PRINTABLE = frozenset({_PRINTABLE})
_ONLY_IA5 = frozenset({_IA5})
_ONLY_NUMERIC = frozenset({_NUMERIC})

# GnuTLS's names, by gnutls_x509_dn_oid_name(); any other attribute goes by its number.
_ATTRIBUTES: dict[str, tuple[str, frozenset[int]]] = {
    "2.5.4.3": ("CN", _DIRECTORY),
    "2.5.4.4": ("surName", _DIRECTORY),
    "2.5.4.5": ("serialNumber", _ONLY_PRINTABLE),
    "2.5.4.6": ("C", _ONLY_PRINTABLE),
    "2.5.4.7": ("L", _DIRECTORY),
    "2.5.4.8": ("ST", _DIRECTORY),
    "2.5.4.9": ("street", _DIRECTORY),
    "2.5.4.10": ("O", _DIRECTORY),
    "2.5.4.11": ("OU", _DIRECTORY),
    "2.5.4.12": ("title", _DIRECTORY),
    "2.5.4.13": ("description", _DIRECTORY),
    "2.5.4.15": ("businessCategory", _DIRECTORY),
    "2.5.4.17": ("postalCode", _DIRECTORY),
    "2.5.4.20": ("telephoneNumber", _ONLY_PRINTABLE),
    "2.5.4.41": ("name", _DIRECTORY),
    "2.5.4.42": ("givenName", _DIRECTORY),
    "2.5.4.43": ("initials", _DIRECTORY),
    "2.5.4.44": ("generationQualifier", _DIRECTORY),
    "2.5.4.46": ("dnQualifier", _ONLY_PRINTABLE),
    "2.5.4.65": ("pseudonym", _DIRECTORY),
    "0.9.2342.19200300.100.1.1": ("UID", _DIRECTORY),
    "0.9.2342.19200300.100.1.25": ("DC", _ONLY_IA5),
    "1.2.840.113549.1.9.1": ("EMAIL", _ONLY_IA5),
    "1.3.6.1.5.5.7.9.2": ("placeOfBirth", _DIRECTORY),
    "1.3.6.1.5.5.7.9.3": ("gender", _ONLY_PRINTABLE),
    "1.3.6.1.5.5.7.9.4": ("countryOfCitizenship", _ONLY_PRINTABLE),
    "1.3.6.1.5.5.7.9.5": ("countryOfResidence", _ONLY_PRINTABLE),
    "1.3.6.1.4.1.311.60.2.1.1": ("jurisdictionOfIncorporationLocalityName", _DIRECTORY),
    "1.3.6.1.4.1.311.60.2.1.2": ("jurisdictionOfIncorporationStateOrProvinceName", _DIRECTORY),
    "1.3.6.1.4.1.311.60.2.1.3": ("jurisdictionOfIncorporationCountryName", _ONLY_PRINTABLE),
    "1.2.643.100.1": ("OGRN", _ONLY_NUMERIC),
    "1.2.643.100.3": ("SNILS", _ONLY_NUMERIC),
    "1.2.643.100.5": ("OGRNIP", _ONLY_NUMERIC),
    "1.2.643.3.131.1.1": ("INN", _ONLY_NUMERIC),
}

_ESCAPED = re.compile(r'[,+"\\\\<>;]')


class _Value(NamedTuple):
    """One ASN.1 value: its tag, its content, and both with the length between."""

    tag: int
    content: bytes
    raw: bytes


def subject_of(certificate: x509.Certificate) -> str:
    """The subject of `certificate` as GnuTLS writes it; ValueError if it is empty or not well-formed."""
    return format_name(certificate.subject.public_bytes())


def format_name(encoded: bytes) -> str:
    """A DER name as GnuTLS writes it; ValueError if it is empty or not well-formed."""
    (name,) = _values(encoded)
    text = ",".join("+".join(map(_format_attribute, _values(part.content))) for part in _values(name.content))
    if not text:
        raise ValueError("the name is empty")
    return text


def name_allowed(name: str, globs: Iterable[str]) -> bool:
    """Whether `name` matches one of `globs`: "*" is any text, "?" any character, all else is itself."""
    return any(_pattern(glob).fullmatch(name) for glob in globs)


@functools.lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    # Runs of "*" are one: otherwise a long run makes matching slow.
    parts = re.findall(r"\*+|.", glob, re.DOTALL)
    known = ("(?s:.*)" if part[0] == "*" else "(?s:.)" if part == "?" else re.escape(part) for part in parts)
    return re.compile("".join(known))


def _values(data: bytes) -> Iterator[_Value]:
    """The ASN.1 values that lie one after another in `data` (definite lengths, as DER has them)."""
    position = 0
    while position < len(data):
        start = position
        if len(data) - position < 2:
            raise ValueError("a name is cut short")
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            width = length & 0x7F
            length = int.from_bytes(data[position : position + width], "big")
            position += width
        end = position + length
        if end > len(data):
            raise ValueError("a name is cut short")
        yield _Value(tag, data[position:end], data[start:end])
        position = end


def _format_attribute(attribute: _Value) -> str:
    oid, value = _values(attribute.content)
    number = _dotted(oid.content)
    name, kinds = _ATTRIBUTES.get(number, (number, frozenset[int]()))
    return f"{name}={_format_value(value, kinds)}"


def _format_value(value: _Value, kinds: frozenset[int]) -> str:
    if not value.content:
        raise ValueError("a name has an empty part")
    text = _text(value) if value.tag in kinds else None
    return f"#{value.raw.hex()}" if text is None else _escape(text)


def _text(value: _Value) -> str | None:
    """The characters of a string; None if GnuTLS does not show it as text."""
    if value.tag == _UNIVERSAL or (value.tag == _T61 and not _plain(value.content)):
        return "#" + value.content.hex()
    if value.tag == _BMP:
        text = value.content.decode("utf-16-be").removesuffix("\0")
    else:
        text = value.content.decode("utf-8")
    return text if text and "\0" not in text else None


def _plain(content: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in content)


def _escape(text: str) -> str:
    escaped = _ESCAPED.sub(r"\\\g<0>", text)
    if escaped.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return "\\" + escaped if text[0] in " #" else escaped


def _dotted(content: bytes) -> str:
    """An object identifier with dots (X.690, 8.19)."""
    arcs, arc = [], 0
    for byte in content:
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        raise ValueError("a name has an attribute without a kind")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
