# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must hold for every struct of every program, whatever its values.

The properties are inner functions: pytest-twisted wraps a module's own hypothesis tests once for each parameter.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.values import declared_types, values_of
from virtproxy.wire.codec import Struct, WireError, decode_exact, decode_from, encode

TYPES = list(declared_types())
WRONG_WORDS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\2")
every_type = pytest.mark.parametrize("cls", TYPES, ids=lambda cls: f"{cls.__module__[19:]}-{cls.__name__}")
quick = settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def survives(cls: type[Struct], data: bytes) -> None:
    """Any bytes give a value that keeps its meaning, or WireError."""
    try:
        value, end = decode_from(cls, data)
    except WireError:
        return
    assert end <= len(data)
    again = encode(value)
    assert len(again) == end
    # Compared as bytes: a NaN is not equal to itself.
    assert encode(decode_exact(cls, again)) == again


@every_type
def test_what_is_sent_is_received(cls: type[Struct]) -> None:
    @given(values_of(cls))
    @quick
    def check(value: Struct) -> None:
        encoded = encode(value)
        assert len(encoded) % 4 == 0
        assert decode_exact(cls, encoded) == value
        with pytest.raises(WireError):
            decode_exact(cls, encoded + bytes(4))

    check()


@every_type
def test_cut_short_at_any_byte(cls: type[Struct]) -> None:
    @given(values_of(cls))
    @quick
    def check(value: Struct) -> None:
        encoded = encode(value)
        for end in range(0, len(encoded), 1 if len(encoded) < 200 else 7):
            with pytest.raises(WireError):
                decode_from(cls, encoded[:end])

    check()


@every_type
def test_any_bytes_give_a_value_or_wire_error(cls: type[Struct]) -> None:
    @given(st.binary(max_size=200), values_of(cls))
    @quick
    def check(noise: bytes, value: Struct) -> None:
        survives(cls, noise)
        encoded = encode(value)
        for at in range(0, min(len(encoded), 400), 4):
            for word in WRONG_WORDS:
                survives(cls, encoded[:at] + word + encoded[at + 4 :])

    check()


def test_all_programs_are_covered() -> None:
    modules = {cls.__module__.rpartition(".")[2] for cls in TYPES}
    assert modules >= {"common", "domain", "network", "storage", "secret", "qemu", "lxc", "admin", "net", "nwfilter"}
    assert len(TYPES) > 700
