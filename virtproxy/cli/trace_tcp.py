# SPDX-License-Identifier: LGPL-2.1-or-later
"""From packets of a link to packets of the protocol: Ethernet and the like, IP, TCP streams, messages.

``trace`` reads recorded traffic with it. A stream is put in order; after a hole, or where the capture began in its
middle, reading goes on where a segment begins like a message. It keeps no more than HELD_MAX bytes of a stream.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from virtproxy.cli.trace_packet import Packet, frame_of, is_start
from virtproxy.cli.trace_pcap import Captured
from virtproxy.wire.limits import LENGTH_SIZE, PACKET_MIN

PORT = 16509
# LINKTYPE numbers: how many bytes are before the IP header, and where the EtherType is (None: it says itself).
_NULL, _ETHERNET, _RAW, _LOOP, _SLL, _IPV4, _IPV6, _SLL2 = 0, 1, 101, 108, 113, 228, 229, 276
_HEADS = {_NULL: 4, _LOOP: 4, _RAW: 0, 12: 0, 14: 0, _IPV4: 0, _IPV6: 0, _ETHERNET: 14, _SLL: 16, _SLL2: 20}
_TYPES = {_ETHERNET: 12, _SLL: 14, _SLL2: 0}
_VLANS = (0x8100, 0x88A8)
_TCP = 6
_SYN, _RST = 2, 4
HELD_MAX = 4 * 1024 * 1024
# What `virtproxy trace --write` notes at the first packet of a client.
NOTE = re.compile(r"virtproxy client ([0-9]{1,18})(?: (.*))?", re.DOTALL)


@dataclass(slots=True)
class _Stream:
    """One direction of a connection."""

    # The sequence number of the next byte; None before the first.
    next: int | None = None
    # Segments that came before their turn.
    early: dict[int, bytes] = field(default_factory=dict)
    held: int = 0
    # What is not a whole message yet.
    buffer: bytearray = field(default_factory=bytearray)
    # Whether the buffer begins where a message does.
    aligned: bool = False


@dataclass(slots=True)
class _Connection:
    client: int
    subject: str
    up: _Stream = field(default_factory=_Stream)
    down: _Stream = field(default_factory=_Stream)


class Streams:
    """All connections of a capture to one TCP port; ``lost`` counts bytes that could not be read as messages."""

    def __init__(self, port: int = PORT) -> None:
        self._port = port
        self._connections: dict[tuple[bytes, int, bytes], _Connection] = {}
        self._clients = 0
        self.segments = 0
        self.lost = 0

    def packets(self, source: Iterable[Captured]) -> Iterator[Packet]:
        """Yield the messages of all connections, in the order in which they were complete."""
        last = 0.0
        for piece in source:
            last = piece.time
            segment = _segment(piece)
            if segment is not None:
                yield from self._segment(piece, *segment)
        for connection in self._connections.values():
            for from_client, stream in ((True, connection.up), (False, connection.down)):
                while stream.early:
                    self._skip(stream)
                    yield from self._messages(connection, stream, from_client, last)

    def _segment(self, piece: Captured, source: bytes, target: bytes, tcp: bytes) -> Iterator[Packet]:
        ports = int.from_bytes(tcp[:2], "big"), int.from_bytes(tcp[2:4], "big")
        if len(tcp) < 20 or self._port not in ports:
            return
        self.segments += 1
        from_client = ports[1] == self._port
        key = (source, ports[0], target) if from_client else (target, ports[1], source)
        sequence, flags = int.from_bytes(tcp[4:8], "big"), tcp[13]
        if flags & _SYN and from_client:
            self._connections.pop(key, None)
        connection = self._connections.get(key)
        if connection is None:
            connection = self._connections[key] = self._connection(key, piece.comment)
        stream = connection.up if from_client else connection.down
        if flags & _SYN:
            stream.next, stream.aligned = (sequence + 1) & 0xFFFFFFFF, True
        data = tcp[(tcp[12] >> 4) * 4 :]
        if data:
            self._arrived(stream, sequence, data)
            yield from self._messages(connection, stream, from_client, piece.time)

    def _connection(self, key: tuple[bytes, int, bytes], comment: str) -> _Connection:
        noted = NOTE.fullmatch(comment)
        if noted is not None:
            return _Connection(int(noted[1]), noted[2] or "")
        self._clients += 1
        address = ipaddress.ip_address(key[0])
        return _Connection(self._clients, f"[{address}]:{key[1]}" if address.version == 6 else f"{address}:{key[1]}")

    def _arrived(self, stream: _Stream, sequence: int, data: bytes) -> None:
        """Put a segment where it belongs; what is there already is dropped."""
        if stream.next is None:
            stream.next = sequence
        ahead = (sequence - stream.next) & 0xFFFFFFFF
        if ahead >= 1 << 31:
            data, ahead = data[(1 << 32) - ahead :], 0
            sequence = stream.next
        if not data:
            return
        if len(data) > len(stream.early.get(sequence, b"")):
            stream.held += len(data) - len(stream.early.get(sequence, b""))
            stream.early[sequence] = data
        if ahead and stream.held > HELD_MAX:
            self._skip(stream)

    def _skip(self, stream: _Stream) -> None:
        """A segment is missing for good: go on behind the hole, where a message begins."""
        assert stream.next is not None
        expected = stream.next
        self.lost += len(stream.buffer)
        stream.buffer.clear()
        stream.aligned = False
        stream.next = min(stream.early, key=lambda sequence: (sequence - expected) & 0xFFFFFFFF)

    def _messages(self, connection: _Connection, stream: _Stream, from_client: bool, time: float) -> Iterator[Packet]:
        while stream.next is not None and (data := self._take(stream)) is not None:
            if not stream.aligned:
                if not is_start(data):
                    self.lost += len(data)
                    continue
                stream.aligned = True
            stream.buffer += data
            for raw in self._cut(stream):
                yield Packet(time, connection.client, connection.subject, from_client, frame_of(raw))

    def _take(self, stream: _Stream) -> bytes | None:
        """The next segment in order, without what was there before; None if it is missing."""
        expected = stream.next or 0
        data = stream.early.pop(expected, None)
        if data is not None:
            stream.held -= len(data)
            stream.next = (expected + len(data)) & 0xFFFFFFFF
            return data
        for sequence in [one for one in stream.early if (expected - one) & 0xFFFFFFFF < 1 << 31]:
            late = stream.early.pop(sequence)
            stream.held -= len(late)
            rest = late[(expected - sequence) & 0xFFFFFFFF :]
            if rest:
                stream.next = (expected + len(rest)) & 0xFFFFFFFF
                return rest
        return None

    def _cut(self, stream: _Stream) -> Iterator[bytes]:
        """Whole messages out of the buffer."""
        buffer = stream.buffer
        while len(buffer) >= PACKET_MIN:
            if not is_start(buffer):
                self.lost += len(buffer)
                buffer.clear()
                stream.aligned = False
                return
            size = int.from_bytes(buffer[:LENGTH_SIZE], "big")
            if len(buffer) < size:
                return
            yield bytes(buffer[:size])
            del buffer[:size]


def _segment(piece: Captured) -> tuple[bytes, bytes, bytes] | None:
    """Source address, target address and TCP segment of a packet; None if it is something else, or a fragment."""
    head = _HEADS.get(piece.link)
    if head is None:
        return None
    data = piece.data
    if piece.link in _TYPES:
        kind, place = int.from_bytes(data[_TYPES[piece.link] :][:2], "big"), _TYPES[piece.link]
        while kind in _VLANS and piece.link == _ETHERNET:
            head, place = head + 4, place + 4
            kind = int.from_bytes(data[place : place + 2], "big")
        if kind not in (0x0800, 0x86DD):
            return None
    ip = data[head:]
    version = ip[0] >> 4 if ip else 0
    if version == 4 and len(ip) >= 20:
        return _ipv4(ip)
    return _ipv6(ip) if version == 6 and len(ip) >= 40 else None


def _ipv4(ip: bytes) -> tuple[bytes, bytes, bytes] | None:
    if ip[9] != _TCP or int.from_bytes(ip[6:8], "big") & 0x3FFF:
        return None
    # A length of 0 is that of a packet that the network card was to cut up.
    size = int.from_bytes(ip[2:4], "big") or len(ip)
    return ip[12:16], ip[16:20], ip[(ip[0] & 15) * 4 : size]


def _ipv6(ip: bytes) -> tuple[bytes, bytes, bytes] | None:
    kind, offset = ip[6], 40
    # Hop-by-hop options, routing and destination options may stand before TCP.
    while kind in (0, 43, 60) and len(ip) >= offset + 8:
        kind, offset = ip[offset], offset + (ip[offset + 1] + 1) * 8
    size = int.from_bytes(ip[4:6], "big")
    return (ip[8:24], ip[24:40], ip[offset : 40 + size if size else len(ip)]) if kind == _TCP else None
