# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sets of CPUs as the protocol has them: bit maps."""

from __future__ import annotations

from collections.abc import Iterable

from virtproxy.drivers.test.host import CPUS

ALL_CPUS = frozenset(range(CPUS))


def from_bits(bits: bytes) -> frozenset[int]:
    """The numbers whose bits are set, the lowest bit of the first byte first."""
    return frozenset(8 * place + bit for place, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def to_bits(numbers: Iterable[int], length: int) -> bytes:
    """A bit map of `length` bytes; what does not fit is left out."""
    bits = bytearray(max(length, 0))
    for number in numbers:
        if number // 8 < len(bits):
            bits[number // 8] |= 1 << number % 8
    return bytes(bits)
