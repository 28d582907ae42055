# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sets of CPUs and NUMA nodes: the bit maps of the protocol, and the text of the documents ("0-2,5")."""

from __future__ import annotations

import re
from collections.abc import Iterable

from virtproxy.driver import ErrorCode, VirtError
from virtproxy.drivers.test.host import CPUS

_PART = re.compile(r"(\^?)(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
NUMBER_MAX = 4096
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


def to_text(numbers: Iterable[int]) -> str:
    """The numbers as ranges, in order."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def from_text(text: str) -> frozenset[int]:
    """The numbers that "0-2,^1,5" means; VirtError INVALID_ARG if it means none."""
    numbers: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _PART.fullmatch(part)
        low, high = (int(match[2]), int(match[3] or match[2])) if match else (1, 0)
        if match is None or high < low or high >= NUMBER_MAX:
            raise VirtError.of(ErrorCode.INVALID_ARG, f"Failed to parse bitmap '{text}'")
        numbers = numbers - {low} if match[1] else numbers | set(range(low, high + 1))
    return frozenset(numbers)
