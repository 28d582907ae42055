# SPDX-License-Identifier: LGPL-2.1-or-later
"""Distinguished names: spelled exactly as GnuTLS spells them, and matched as libvirt matches."""

from __future__ import annotations

import ctypes
import ctypes.util

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.pki import Authority, Leaf, shared_key
from virtproxy.auth.distinguished_name import _ATTRIBUTES, format_name, name_allowed, subject_of
from virtproxy.auth.tls_files import validity

# Tags of the strings that names are made of: UTF8, Numeric, Printable, T61, IA5, Visible, Universal, BMP.
TAGS = {12: "utf-8", 18: "ascii", 19: "ascii", 20: "utf-8", 22: "ascii", 26: "ascii", 28: "utf-32-be", 30: "utf-16-be"}
OTHER_OIDS = ("1.2.3.4", "2.5.4.45", "2.999.1", "1.3.6.1.5.5.7.9.1")
CHARACTERS = {18: "12 ", **dict.fromkeys((19, 22, 26), "ab1 ")}
ANY_CHARACTERS = 'ab, +"\\<>;#=é\n*/\0😀 '


def der(tag: int, content: bytes) -> bytes:
    """One ASN.1 value of fewer than 65536 bytes."""
    size = len(content)
    return bytes([tag, size] if size < 128 else [tag, 0x82, size >> 8, size & 0xFF]) + content


def encoded_oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    data = b""
    for arc in (first * 40 + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        data += bytes(reversed(groups))
    return der(6, data)


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    tag = draw(st.sampled_from(sorted(TAGS)))
    text = draw(st.text(CHARACTERS.get(tag, ANY_CHARACTERS), min_size=1, max_size=5))
    oid = draw(st.sampled_from([*_ATTRIBUTES, *OTHER_OIDS]))
    return der(0x30, encoded_oid(oid) + der(tag, text.encode(TAGS[tag])))


PARTS = st.lists(attributes(), min_size=1, max_size=2).map(lambda part: der(0x31, b"".join(sorted(part))))
NAMES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: der(0x30, b"".join(parts)))


class Gnutls:
    """The library that libvirt itself asks."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(ctypes.util.find_library("gnutls") or "libgnutls.so.30")

    def subject(self, certificate: bytes) -> bytes:
        """gnutls_x509_crt_get_dn() of a DER certificate."""
        crt, size = ctypes.c_void_p(), ctypes.c_size_t(8192)
        buffer = ctypes.create_string_buffer(size.value)
        assert self._library.gnutls_x509_crt_init(ctypes.byref(crt)) == 0
        try:
            datum = _Datum(certificate, len(certificate))
            assert self._library.gnutls_x509_crt_import(crt, ctypes.byref(datum), 0) == 0
            assert self._library.gnutls_x509_crt_get_dn(crt, buffer, ctypes.byref(size)) == 0
        finally:
            self._library.gnutls_x509_crt_deinit(crt)
        return buffer.value


class _Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_uint))


PLACEHOLDER = "placeholder"
TEMPLATE = Authority().issue(Leaf(name=PLACEHOLDER))


def certificate_with(name: bytes) -> bytes:
    """A DER certificate with this subject; its signature is wrong, which reading it does not mind."""
    old_name = TEMPLATE.subject.public_bytes()
    body = TEMPLATE.tbs_certificate_bytes
    header = 4  # a tag, and the length of a body of 256 bytes or more
    body = der(0x30, body[header:].replace(old_name, name))
    whole = TEMPLATE.public_bytes(Encoding.DER)
    rest = whole[whole.index(TEMPLATE.tbs_certificate_bytes) + len(TEMPLATE.tbs_certificate_bytes) :]
    return der(0x30, body + rest)


@pytest.mark.programs("gnutls-cli")
@settings(max_examples=400, deadline=None)
@given(NAMES)
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(30, b"\0\0")))))
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(30, b"\0a\0\0")))))
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(30, b"\0a\0\0\0\0")))))
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(12, b" ")))))
def test_spelled_as_gnutls_spells_it(name: bytes) -> None:
    assert format_name(name).encode() == Gnutls().subject(certificate_with(name))


def test_the_order_is_the_certificate_s() -> None:
    assert subject_of(TEMPLATE) == f"C=GB,O=Org\\, Inc,CN={PLACEHOLDER}"


@settings(deadline=None)
@given(st.binary(max_size=80))
@example(b"")
@example(der(0x30, b""))
@example(der(0x30, der(0x31, der(0x30, der(6, b"") + der(12, b"x")))))
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(12, b"")))))
@example(der(0x30, der(0x31, der(0x30, encoded_oid("2.5.4.3") + der(12, b"\xff")))))
def test_what_is_no_name_is_a_value_error(data: bytes) -> None:
    try:
        text = format_name(data)
    except ValueError:
        return
    assert text  # some bytes are a name, but never an empty one


def test_an_empty_subject_is_a_value_error() -> None:
    key = shared_key()
    builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(TEMPLATE.issuer)
    builder = builder.public_key(key.public_key()).serial_number(7)
    start, end = validity(TEMPLATE)
    builder = builder.not_valid_before(start).not_valid_after(end)
    with pytest.raises(ValueError, match="empty"):
        subject_of(builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize(
    ("glob", "name", "allowed"),
    [
        ("C=GB,CN=a", "C=GB,CN=a", True),
        ("C=GB,CN=*", "C=GB,CN=", True),
        ("C=GB,CN=*", "C=GB,O=x,CN=a", False),
        ("C=GB*CN=a", "C=GB,O=x,CN=a", True),
        ("*CN=a", "C=GB,CN=ab", False),
        ("CN=?", "CN=a", True),
        ("CN=?", "CN=ab", False),
        ("CN=[ab]", "CN=a", False),
        ("CN=[ab]", "CN=[ab]", True),
        ("CN=a.b", "CN=axb", False),
        ("CN=*", "CN=a\nb", True),
        ("cn=a", "CN=a", False),
        ("", "CN=a", False),
        ("O=Org\\, Inc,*", "O=Org\\, Inc,CN=a", True),
    ],
)
def test_globs(glob: str, name: str, allowed: bool) -> None:
    assert name_allowed(name, [glob]) is allowed


def test_one_glob_of_many_is_enough() -> None:
    assert name_allowed("CN=b", ["CN=a", "CN=b"])
    assert not name_allowed("CN=b", [])


def test_many_stars_are_quick() -> None:
    assert not name_allowed("CN=" + "a" * 60, ["*" * 1000 + "b"])
