# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes messages as a pcapng file that Wireshark and tcpdump read: TCP to port 16509, one connection a client.

``trace --write`` uses it, for UNIX sockets too, which nobody else can record. Secrets are masked as everywhere in a
trace: what is not known to be free of them is zeros, or left out. The first packet of a client has a comment that
says who it is, which ``trace_tcp`` reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from virtproxy.cli.trace_packet import Packet, Said
from virtproxy.cli.trace_pcap import BYTE_ORDER, COMMENT, ENHANCED, INTERFACE, SECTION
from virtproxy.cli.trace_tcp import PORT
from virtproxy.wire.codec import WireError, encode
from virtproxy.wire.frame import HEADER, Frame
from virtproxy.wire.limits import FD_COUNT_SIZE, PACKET_MIN

_LINK_IPV4 = 228
# The longest piece that fits into an IP packet with its headers.
_SEGMENT = 65535 - 40
_SERVER = bytes((127, 0, 0, 1))
_PSH_ACK = 0x18
_IP = struct.Struct(">BBHHHBBH4s4s")
_TCP = struct.Struct(">HHIIBBHHH")


@dataclass(slots=True)
class _Peer:
    """One client's addresses and the numbers of the next bytes, from it and to it."""

    address: bytes
    port: int
    up: int = 1
    down: int = 1


class Recording:
    """A capture file that is being written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peers: dict[int, _Peer] = {}
        head = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        self._block(SECTION, head)
        self._block(INTERFACE, struct.pack("<HHI", _LINK_IPV4, 0, 0))

    def add(self, packet: Packet, content: Said) -> None:
        """Write a message, which says that."""
        raw = masked_bytes(packet.frame, content)
        peer = self._peers.get(packet.client)
        note = ""
        if peer is None:
            peer = self._peers[packet.client] = _peer(packet.client)
            note = f"virtproxy client {packet.client} {packet.subject}"
        for start in range(0, len(raw), _SEGMENT):
            self._segment(packet, peer, raw[start : start + _SEGMENT], note)
            note = ""

    def _segment(self, packet: Packet, peer: _Peer, data: bytes, note: str) -> None:
        up = packet.from_client
        ports = (peer.port, PORT) if up else (PORT, peer.port)
        numbers = (peer.up, peer.down) if up else (peer.down, peer.up)
        addresses = (peer.address, _SERVER) if up else (_SERVER, peer.address)
        if up:
            peer.up = (peer.up + len(data)) & 0xFFFFFFFF
        else:
            peer.down = (peer.down + len(data)) & 0xFFFFFFFF
        tcp = _TCP.pack(*ports, *numbers, 5 << 4, _PSH_ACK, 65535, 0, 0) + data
        pseudo = b"".join(addresses) + struct.pack(">HH", 6, len(tcp))
        tcp = tcp[:16] + _checksum(pseudo + tcp).to_bytes(2, "big") + tcp[18:]
        ip = _IP.pack(0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, *addresses)
        ip = ip[:10] + _checksum(ip).to_bytes(2, "big") + ip[12:]
        self._packet(packet.time, ip + tcp, note)

    def _packet(self, time: float, data: bytes, note: str) -> None:
        ticks = int(time * 1_000_000)
        body = struct.pack("<IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + _padded(data)
        if note:
            comment = note.encode("utf-8", "replace")[:4096]
            body += struct.pack("<HH", COMMENT, len(comment)) + _padded(comment) + bytes(4)
        self._block(ENHANCED, body)

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", len(body) + 12)
        self._stream.write(struct.pack("<I", kind) + size + body + size)


def masked_bytes(frame: Frame, content: Said) -> bytes:
    """The message without its secrets; only its header where nobody knows what is in it."""
    head = frame.raw[PACKET_MIN : PACKET_MIN + FD_COUNT_SIZE] if frame.carries_fds else b""
    if content.data is not None:
        payload = bytes(content.data)
    else:
        value = content.error if content.error is not None else content.value
        try:
            payload = b"" if value is None else encode(value)
        except WireError:  # a masked document may be too long
            payload = b""
    length = PACKET_MIN + len(head) + len(payload)
    fields = (frame.program, frame.version, frame.procedure, frame.type, frame.serial, frame.status)
    return HEADER.pack(length, *fields) + bytes(head) + payload


def _peer(client: int) -> _Peer:
    """Addresses of a client: 10.x.y.z and a port, by its number."""
    return _Peer(bytes((10, client >> 16 & 255, client >> 8 & 255, client & 255)), 49152 + client % 16384)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data[: len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
