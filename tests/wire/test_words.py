# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names that are kept encoded: the same bytes, the same refusals, and a bound."""

from __future__ import annotations

from typing import Any

import pytest

from virtproxy.protocol import remote
from virtproxy.wire.codec import WireError, decode, encode
from virtproxy.wire.words import KEPT_LENGTH, KEPT_MAX, words


def domain(name: Any) -> remote.NonnullDomain:
    return remote.NonnullDomain(name=name, uuid=bytes(16), id=1)


@pytest.mark.parametrize("name", ["", "a", "ab", "abc", "abcd", "\u00fc\udcff", "x" * KEPT_LENGTH, "y" * 1000])
def test_a_name_has_the_same_bytes_each_time(name: str) -> None:
    words.pop(name, None)
    first = encode(domain(name))
    assert (name in words) is (len(name) <= KEPT_LENGTH)
    assert encode(domain(name)) == first
    raw = name.encode("utf-8", "surrogateescape")
    assert first == len(raw).to_bytes(4, "big") + raw + bytes(-len(raw) % 4) + bytes(16) + b"\0\0\0\1"
    assert decode(remote.NonnullDomain, first) == domain(name)


@pytest.mark.parametrize("name", ["a\0b", 5, None, b"bytes", ["list"]])
def test_what_is_no_name_is_refused_each_time(name: Any) -> None:
    for _ in range(2):
        with pytest.raises(WireError):
            encode(domain(name))


def test_only_names_are_kept_and_not_too_many() -> None:
    encode(remote.DomainGetXmlDescRet(xml="a secret"))
    assert "a secret" not in words
    for number in range(KEPT_MAX + 10):
        encode(domain(f"guest{number}"))
    assert len(words) <= KEPT_MAX
