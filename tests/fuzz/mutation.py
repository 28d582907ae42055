# SPDX-License-Identifier: LGPL-2.1-or-later
"""Changes to packets that know what a packet is: header fields, counts, flags, padding, lengths, order, pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from virtproxy.wire.frame import HEADER

NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 16, 27, 28, 255, 256, 16384, 65535, 2**24, 2**25, 2**31 - 1, 2**31, 2**32 - 1)
PIECES = 1000
# The fields of the header by their place: program, version, procedure, type, serial, status.
FIELDS = range(4, 28, 4)


class Mutator:
    """Makes bad packets out of good ones, the same ones for the same `Random`."""

    def __init__(self, random: Random, packets: Sequence[bytes], serials: int | None = None) -> None:
        """``serials``: give the packets serials up to this one, else they keep theirs."""
        self.random = random
        self.packets = packets
        self.serials = serials
        # Header changes are rarer than others: nearly all of them are refused at the first look.
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._field, self._word, self._word, self._word, self._near, self._near, self._flip, self._flip,
            self._truncate, self._extend, self._splice, self._repeat, self._procedure, self._nothing,
        )  # fmt: skip

    def packet(self) -> bytes:
        """A packet, changed in one to four ways; its length word is right but for a few."""
        random = self.random
        packet = bytearray(random.choice(self.packets))
        if self.serials is not None:
            self._put(packet, 20, random.randint(1, self.serials))
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
            random.choice(self._ways)(packet)
        length = len(packet)
        if random.random() < 0.004:
            length = random.choice((random.choice(NUMBERS), max(0, length + random.randint(-5, 5))))
        packet[:4] = (length % 2**32).to_bytes(4, "big")
        return bytes(packet)

    def cut(self, stream: bytes) -> Iterator[bytes]:
        """The stream in pieces, as a socket may give it."""
        random, at = self.random, 0
        # Small pieces only of a small stream: of a large one they are just slow.
        size = max(random.choice((len(stream), 1 << 16, 1000, 100, 7)), len(stream) // PIECES)
        while at < len(stream):
            step = random.randint(1, size)
            yield stream[at : at + step]
            at += step

    def _put(self, packet: bytearray, at: int, number: int) -> None:
        packet[at : at + 4] = (number % 2**32).to_bytes(4, "big")

    def _place(self, packet: bytearray) -> int | None:
        """A random word of the payload."""
        words = (len(packet) - HEADER.size) // 4
        return HEADER.size + 4 * self.random.randrange(words) if words else None

    def _field(self, packet: bytearray) -> None:
        self._put(packet, self.random.choice(FIELDS), self.random.choice(NUMBERS))

    def _procedure(self, packet: bytearray) -> None:
        """The arguments of one procedure for another."""
        self._put(packet, 12, self.random.randint(0, 460))

    def _word(self, packet: bytearray) -> None:
        place = self._place(packet)
        if place is not None:
            self._put(packet, place, self.random.choice(NUMBERS))

    def _near(self, packet: bytearray) -> None:
        place = self._place(packet)
        if place is not None:
            now = int.from_bytes(packet[place : place + 4], "big")
            self._put(packet, place, now + self.random.choice((-1, 1, 4, -4, 2**31)))

    def _flip(self, packet: bytearray) -> None:
        at = self.random.randrange(4, len(packet))
        packet[at] ^= 1 << self.random.randrange(8)

    def _truncate(self, packet: bytearray) -> None:
        del packet[self.random.randint(HEADER.size, len(packet)) :]

    def _extend(self, packet: bytearray) -> None:
        packet += self.random.randbytes(self.random.choice((1, 3, 4, 8, 100)))

    def _splice(self, packet: bytearray) -> None:
        other = self.random.choice(self.packets)
        place = self._place(packet) or HEADER.size
        start = min(len(other), place)
        packet[place:] = other[start:]

    def _repeat(self, packet: bytearray) -> None:
        place = self._place(packet)
        if place is not None and len(packet) < 4096:
            packet[place:place] = packet[place : place + self.random.choice((4, 8, 16, 64))]

    def _nothing(self, packet: bytearray) -> None:
        """Good packets belong between the bad ones."""
