# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes one DHCP lease: ``dhcp_client.py INTERFACE MAC NAME [INTERFACE MAC NAME ...]`` prints each address.

Run in a lab by the conformance script, on an interface that has no address. Replies are asked for as broadcasts.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys

COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
TRIES = 15
BROADCAST_FLAG = 0x8000


def request(transaction: int, mac: bytes, kind: int, name: str, offer: bytes = b"") -> bytes:
    """A BOOTP packet with the options of that DHCP message."""
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, transaction, 0, BROADCAST_FLAG)
    packet = head + bytes(16) + mac.ljust(16, b"\0") + bytes(192) + COOKIE
    packet += bytes((53, 1, kind, 12, len(name))) + name.encode()
    if offer:
        packet += bytes((50, 4)) + offer
    return packet + b"\xff"


def message_kind(packet: bytes) -> int:
    """The DHCP message type among the packet's options."""
    options = packet[240:]
    while options and options[0] != 255:
        if options[0] == 53:
            return options[2]
        options = options[2 + options[1] :]
    return 0


def lease(interface: str, mac: bytes, name: str) -> str:
    """The address the server gives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        sock.settimeout(1)
        sock.bind(("", 68))
        transaction = int.from_bytes(mac[2:], "big")
        offer = b""
        for kind, answer in ((DISCOVER, OFFER), (REQUEST, ACK)):
            reply = exchange(sock, request(transaction, mac, kind, name, offer), answer)
            offer = reply[16:20]
        return socket.inet_ntoa(offer)


def exchange(sock: socket.socket, packet: bytes, answer: int) -> bytes:
    """Sends the packet, again every second, until the answer of that kind comes; TimeoutError after TRIES."""
    for _ in range(TRIES):
        sock.sendto(packet, ("255.255.255.255", 67))
        with contextlib.suppress(TimeoutError):
            while True:
                reply = sock.recv(2048)
                if message_kind(reply) == answer and reply[4:8] == packet[4:8]:
                    return reply
    raise TimeoutError("no answer from a DHCP server")


def main(arguments: list[str]) -> None:
    """Takes a lease for each triple of arguments."""
    for interface, mac, name in zip(arguments[0::3], arguments[1::3], arguments[2::3], strict=True):
        print(lease(interface, bytes.fromhex(mac.replace(":", "")), name))


if __name__ == "__main__":
    main(sys.argv[1:])
