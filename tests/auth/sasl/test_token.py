# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which first tokens of GSSAPI are let through to libsasl2."""

from __future__ import annotations

import pytest

from virtproxy.auth.sasl.token import is_kerberos_request

KERBEROS = bytes.fromhex("06092a864886f712010202")
REQUEST = KERBEROS + b"\x01\x00"


def framed(body: bytes, length: bytes | None = None) -> bytes:
    """The body with its tag and length."""
    return b"\x60" + (bytes([len(body)]) if length is None else length) + body


def long(size: int) -> bytes:
    """A body of that many bytes."""
    return REQUEST + bytes(size - len(REQUEST))


@pytest.mark.parametrize(
    "token",
    [framed(long(13)), framed(long(127)), framed(long(128), b"\x81\x80"), framed(long(300), b"\x82\x01\x2c"),
     framed(long(65530), b"\x82\xff\xfa"), framed(long(65536), b"\x83\x01\0\0")],
    ids=len,
)  # fmt: skip
def test_requests(token: bytes) -> None:
    assert is_kerberos_request(token)


@pytest.mark.parametrize(
    "token",
    [
        b"", b"\x60", b"\x60\x80", b"\x60\x82", b"\x60\x82\x01", b"\x61" + framed(REQUEST)[1:],
        framed(KERBEROS), framed(KERBEROS + b"\x01"), framed(KERBEROS + b"\x02\x00"), framed(KERBEROS + b"\x01\xed"),
        framed(bytes.fromhex("06062b0601050502") + b"\x01\x00" + bytes(9)),
        framed(bytes.fromhex("06062b060105020501")), framed(REQUEST) + b"x", framed(REQUEST)[:-1],
        framed(long(127), b"\x81\x7f"), framed(long(128), b"\x82\0\x80"), framed(long(128), b"\x80"),
        framed(long(128), b"\x84\0\0\0\x80"), framed(long(200), b"\x81\xff"), REQUEST,
    ],
)  # fmt: skip
def test_everything_else(token: bytes) -> None:
    assert not is_kerberos_request(token)
