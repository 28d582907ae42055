# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pieces of a line: times, callers, texts."""

from __future__ import annotations

import json

import pytest

from virtproxy.access.audit.text import TEXT_MAX, quoted, short, stamp, subject, without_password
from virtproxy.identity import Identity


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250000Z"),
        (1_700_000_000.999999, "2023-11-14T22:13:20.999999Z"),
        (1_700_000_001.0, "2023-11-14T22:13:21.000000Z"),
        (1_700_000_000.5, "2023-11-14T22:13:20.500000Z"),
    ],
)
def test_times_are_utc_with_microseconds(seconds: float, text: str) -> None:
    assert stamp(seconds) == text


def test_who_calls() -> None:
    everything = Identity(
        transport="tls", address="10.0.0.1:5", sasl_user="fred", sasl_mechanism="GSSAPI", principal="fred@EXAMPLE.COM",
        x509_dname="CN=a", x509_sans=("DNS:a",), ssf=256,
    )  # fmt: skip
    assert json.loads(f"{{{subject(everything)}}}") == {
        "subject": {
            "sasl": "fred", "mechanism": "GSSAPI", "realm": "EXAMPLE.COM", "x509": "CN=a", "san": ["DNS:a"],
        },
        "transport": "tls", "address": "10.0.0.1:5", "ssf": 256,
    }  # fmt: skip
    assert json.loads(f"{{{subject(Identity())}}}") == {"subject": {}, "transport": "unix"}
    assert '"realm":"R"' in subject(Identity(sasl_user="a@R"))


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[2J", "\u2028", "\udc80\udcff", '"}{,', "\U0001f600"])
def test_any_text_stays_on_its_line(text: str) -> None:
    line = quoted(text)
    assert line.isascii() and line.isprintable() and json.loads(line) == text


def test_a_name_does_not_make_a_line_long() -> None:
    assert len(short("x" * 100_000)) < TEXT_MAX + 50


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("qemu+ssh://a:b@c/system", "qemu+ssh://a:***@c/system"),
        ("qemu+ssh://a@c/system", "qemu+ssh://a@c/system"),
        ("qemu:///system", "qemu:///system"),
        ("a:b@c", "a:b@c"),
        ("x://a:b@c y://:d@e", "x://a:***@c y://:***@e"),
    ],
)
def test_passwords_of_uris(text: str, shown: str) -> None:
    assert without_password(text) == shown
