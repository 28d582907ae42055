# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must hold for every struct of every program, whatever its values.

One test a module, not a type: what surrounds a test costs more than the properties. They are inner functions, because
pytest-twisted wraps a module's own hypothesis tests once for each parameter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.values import declared_types, values_of
from virtproxy.wire.codec import Struct, WireError, decode_exact, decode_from, encode

TYPES = list(declared_types())
MODULES = sorted({cls.__module__ for cls in TYPES})
WRONG_WORDS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\2")
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda name: name.rpartition(".")[2])
quick = settings(max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.timeout(120)


@contextmanager
def named(cls: type[Struct]) -> Iterator[None]:
    """Say which type a failure is about."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"in {cls.__name__}")
        raise


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


def comes_back(cls: type[Struct]) -> None:
    """A value is received as it was sent, and nothing shorter or longer is."""

    @given(values_of(cls))
    @quick
    def check(value: Struct) -> None:
        encoded = encode(value)
        assert len(encoded) % 4 == 0
        assert decode_exact(cls, encoded) == value
        with pytest.raises(WireError):
            decode_exact(cls, encoded + bytes(4))
        for end in range(0, len(encoded), 1 if len(encoded) < 200 else 7):
            with pytest.raises(WireError):
                decode_from(cls, encoded[:end])

    check()


def withstands_noise(cls: type[Struct]) -> None:
    """Random bytes, and good ones with any word replaced."""

    @given(st.binary(max_size=200), values_of(cls))
    @quick
    def check(noise: bytes, value: Struct) -> None:
        survives(cls, noise)
        encoded = encode(value)
        for at in range(0, min(len(encoded), 400), 4):
            for word in WRONG_WORDS:
                survives(cls, encoded[:at] + word + encoded[at + 4 :])

    check()


@every_module
def test_what_is_sent_is_received(module: str) -> None:
    for cls in (cls for cls in TYPES if cls.__module__ == module):
        with named(cls):
            comes_back(cls)


@every_module
def test_any_bytes_give_a_value_or_wire_error(module: str) -> None:
    for cls in (cls for cls in TYPES if cls.__module__ == module):
        with named(cls):
            withstands_noise(cls)


def test_all_programs_are_covered() -> None:
    modules = {name.rpartition(".")[2] for name in MODULES}
    assert modules >= {"common", "domain", "network", "storage", "secret", "qemu", "lxc", "admin", "net", "nwfilter"}
    assert len(TYPES) > 700
