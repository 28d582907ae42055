# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines and their links."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from virtproxy.access.audit.chain import START, Seal, entry_of, plain_link

KEY = b"0123456789abcdef0123456789abcdef"


def test_a_plain_link_is_the_hash_of_the_line() -> None:
    line, link = Seal().line(START, 1, '"event":"x"')
    assert json.loads(line) == {"prev": START, "seq": 1, "event": "x"}
    assert link == hashlib.sha256(line[:-1]).hexdigest()
    assert Seal().link(line[:-1]) == link


def test_a_keyed_line_has_its_mac() -> None:
    line, link = Seal(KEY).line(START, 1, '"event":"x"')
    body = b'{"prev":"%b","seq":1,"event":"x"}' % START.encode()
    assert link == hmac.new(KEY, body, "sha256").hexdigest() == json.loads(line)["mac"]
    assert Seal(KEY).link(line[:-1]) == link
    # Who has no key takes the line's word for it.
    assert Seal().link(line[:-1]) == plain_link(line[:-1]) == link


@pytest.mark.parametrize("change", [(b'"x"', b'"y"'), (b'"seq":1', b'"seq":2'), (b'"mac":"', b'"mac":"0')])
def test_a_changed_line_is_not_genuine(change: tuple[bytes, bytes]) -> None:
    line = Seal(KEY).line(START, 1, '"event":"x"')[0][:-1]
    assert Seal(KEY).link(line.replace(*change)) is None
    assert Seal(b"another key, of as many bytes....").link(line) is None


def test_a_line_without_a_mac_is_not_genuine() -> None:
    line = Seal().line(START, 1, '"event":"x"')[0][:-1]
    assert Seal(KEY).link(line) is None


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"null", b"[]", b"{}", b'{"prev":"0","seq":1}', b'{"prev":"%b","seq":true}' % START.encode(),
     b'{"prev":"%b","seq":0}' % START.encode(), b"\0" * 80, b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_line(raw: bytes) -> None:
    assert entry_of(raw) is None
