# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture files, as tcpdump and Wireshark write them: the captured packets in order, as they were on the link.

``trace_tcp`` makes streams of them. Reads pcap (both byte orders, micro- and nanoseconds) and pcapng. It must not look
into the packets. The formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from virtproxy.cli.output import CommandError

# More than any capture program takes of a packet.
CAPTURED_MAX = 16 * 1024 * 1024
_MAGICS = {
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
}
SECTION, INTERFACE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 3, 6
BYTE_ORDER = 0x1A2B3C4D
COMMENT, TIME_RESOLUTION = 1, 9


class Captured(NamedTuple):
    """One packet of a link: ``time`` in seconds since 1970, ``link`` a LINKTYPE number, ``comment`` empty if none."""

    time: float
    link: int
    data: bytes
    comment: str


def captured(stream: BinaryIO, name: str) -> Iterator[Captured]:
    """Yield the packets of a capture file. Raises CommandError, naming the file, for what is none; a torn end ends."""
    magic = _read(stream, 4, name)
    if magic in _MAGICS:
        yield from _classic(stream, name, *_MAGICS[magic])
    elif magic == SECTION.to_bytes(4, "big"):
        yield from _Sections(stream, name).packets()
    else:
        raise CommandError(
            f"{name} is not a capture file: make one with tcpdump -i any -w {name} tcp port 16509, "
            "or with virtproxy trace --write"
        )


def _read(stream: BinaryIO, size: int, name: str) -> bytes:
    if not 0 <= size <= CAPTURED_MAX:
        raise CommandError(f"{name} is damaged: something in it claims to have {size} bytes")
    return stream.read(size)


def _classic(stream: BinaryIO, name: str, order: str, ticks: int) -> Iterator[Captured]:
    head = _read(stream, 20, name)
    if len(head) < 20:
        return
    # Above the link type's 16 bits are flags about checksums.
    link = struct.unpack(f"{order}I", head[16:])[0] & 0xFFFF
    record = struct.Struct(f"{order}IIII")
    while len(head := _read(stream, record.size, name)) == record.size:
        seconds, fraction, size, _ = record.unpack(head)
        data = _read(stream, size, name)
        if len(data) < size:
            return
        yield Captured(seconds + fraction / ticks, link, data, "")


class _Sections:
    """The blocks of a pcapng file."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._order = "<"
        # Of each interface: its link type and ticks a second.
        self._interfaces: list[tuple[int, float]] = []

    def packets(self) -> Iterator[Captured]:
        if not self._section():
            return
        while len(head := _read(self._stream, 8, self._name)) == 8:
            kind, size = struct.unpack(f"{self._order}II", head)
            if kind == SECTION:
                self._stream.seek(-4, 1)
                if not self._section():
                    return
                continue
            body = _read(self._stream, size - 8, self._name)[:-4]
            if len(body) < size - 12:
                return
            try:
                packet = self._block(kind, body)
            except (struct.error, IndexError):
                raise CommandError(f"{self._name} is damaged: a block of type {kind} is too short") from None
            if packet is not None:
                yield packet

    def _section(self) -> bool:
        """Read a section's head, whose type has been read; False at a torn end."""
        head = _read(self._stream, 8, self._name)
        if len(head) < 8:
            return False
        self._order = "<" if struct.unpack("<I", head[4:])[0] == BYTE_ORDER else ">"
        size: int
        size, mark = struct.unpack(f"{self._order}II", head)
        if mark != BYTE_ORDER:
            raise CommandError(f"{self._name} is damaged: a section has no byte-order mark")
        self._interfaces.clear()
        return len(_read(self._stream, size - 12, self._name)) == size - 12

    def _block(self, kind: int, body: bytes) -> Captured | None:
        if kind == INTERFACE:
            link = struct.unpack(f"{self._order}H", body[:2])[0]
            self._interfaces.append((link, _ticks(dict(self._options(body[8:])).get(TIME_RESOLUTION, b"\x06"))))
        elif kind == ENHANCED:
            number, high, low, size, _ = struct.unpack(f"{self._order}IIIII", body[:20])
            link, ticks = self._interfaces[number]
            options = dict(self._options(body[20 + -(-size // 4) * 4 :]))
            comment = options.get(COMMENT, b"").decode("utf-8", "replace")
            return Captured((high << 32 | low) / ticks, link, body[20 : 20 + size], comment)
        elif kind == SIMPLE:
            size = struct.unpack(f"{self._order}I", body[:4])[0]
            return Captured(0.0, self._interfaces[0][0], body[4 : 4 + size], "")
        return None

    def _options(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        offset = 0
        while offset + 4 <= len(data):
            code, size = struct.unpack_from(f"{self._order}HH", data, offset)
            if code == 0:
                return
            yield code, data[offset + 4 : offset + 4 + size]
            offset += 4 + -(-size // 4) * 4


def _ticks(resolution: bytes) -> float:
    """Ticks a second from an interface's if_tsresol: a power of ten, or of two if the highest bit is set."""
    power = resolution[0]
    return float(2 ** (power & 0x7F) if power & 0x80 else 10**power)
