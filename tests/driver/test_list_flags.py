# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which objects the flags of a list call ask for."""

from __future__ import annotations

import pytest

from virtproxy.driver import ListFlags, either

NUMBERS: ListFlags[int] = ListFlags(
    either(1, 2, lambda number: number % 2 == 0),
    ((4, lambda number: number < 3), (8, lambda number: number == 3), (16, lambda number: False)),
)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, [0, 1, 2, 3, 4]),
        (1, [0, 2, 4]),
        (2, [1, 3]),
        (3, [0, 1, 2, 3, 4]),
        (4, [0, 1, 2]),
        (4 | 8, [0, 1, 2, 3]),
        (1 | 4, [0, 2]),
        (16, []),
        (1 << 20, [0, 1, 2, 3, 4]),
    ],
)
def test_an_object_needs_one_property_of_each_group_that_is_given(flags: int, expected: list[int]) -> None:
    assert NUMBERS.select(range(5), flags) == expected


def test_the_bits_are_known() -> None:
    assert NUMBERS.bits == 31
