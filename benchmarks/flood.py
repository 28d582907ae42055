# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client without mercy: sends one kind of thing as fast as the daemon takes it, until it is ended.

fairness.py starts it. Usage: python -m benchmarks.flood KIND SOCKET
"""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

from benchmarks.idle import idle_client
from virtproxy.protocol import remote
from virtproxy.rpc.keepalive import PING
from virtproxy.wire.frame import CALL, CONTINUE, OK, STREAM, pack
from virtproxy.wire.framer import Framer
from virtproxy.wire.limits import PACKET_MAX, PACKET_MIN, STREAM_PAYLOAD_MAX

URI = "qemu:///system"
REMOTE = remote.PROGRAM.number
MANY = 2000
VOLUME = remote.NonnullStorageVol(pool="bench", name="bench-volume", key="")
PACKETS_AN_UPLOAD = 256


def calls(number: int, serials: int, payload: bytes = b"") -> bytes:
    """Many calls of one procedure, with that many different serials."""
    chosen = islice(cycle(range(1, serials + 1)), MANY)
    return b"".join(pack(REMOTE, 1, number, CALL, serial, OK, payload).raw for serial in chosen)


def feature() -> bytes:
    """The arguments of a question that the daemon itself answers."""
    return bytes(remote.CONNECT_SUPPORTS_FEATURE.call_frame(1, remote.ConnectSupportsFeatureArgs(feature=15)).payload)


# What is sent over and over, answers being read and dropped.
PACKETS: dict[str, Callable[[], bytes]] = {
    "pings": lambda: PING.raw * MANY,
    "calls": lambda: calls(remote.CONNECT_GET_TYPE.number, MANY),
    "the daemon's own calls": lambda: calls(remote.CONNECT_SUPPORTS_FEATURE.number, MANY, feature()),
    "refused calls": lambda: calls(9999, MANY),
    "one serial for all calls": lambda: calls(remote.CONNECT_GET_TYPE.number, 1),
    "packets of no stream": lambda: pack(REMOTE, 1, 208, STREAM, 9, CONTINUE, b"x").raw * MANY,
    "32 MiB calls": lambda: pack(REMOTE, 1, 9999, CALL, 1, OK, bytes(PACKET_MAX - PACKET_MIN)).raw,
    "32 MiB calls to a daemon": lambda: pack(REMOTE, 1, 11, CALL, 1, OK, b"\xff" * (PACKET_MAX - PACKET_MIN)).raw,
}


def pour(path: Path, data: bytes, *, reads: bool = True) -> None:
    """Send `data` for ever."""
    client = idle_client(path, URI)
    client.setblocking(False)
    at = 0
    while True:
        readable, writable, _ = select.select([client] if reads else [], [client], [])
        if readable and not client.recv(1 << 20):
            return
        if writable:
            at += client.send(memoryview(data)[at : at + (1 << 20)])
            at %= len(data)


def uploads(path: Path) -> None:
    """Upload the same volume for ever, in the largest packets."""
    client = idle_client(path, URI)
    number = remote.STORAGE_VOL_UPLOAD.number
    args = remote.StorageVolUploadArgs(vol=VOLUME, offset=0, length=0, flags=0)
    for serial in range(3, 1 << 30):
        client.sendall(remote.STORAGE_VOL_UPLOAD.call_frame(serial, args).raw)
        answer(client)
        packet = pack(REMOTE, 1, number, STREAM, serial, CONTINUE, bytes(STREAM_PAYLOAD_MAX)).raw
        for _ in range(PACKETS_AN_UPLOAD):
            client.sendall(packet)
        client.sendall(pack(REMOTE, 1, number, STREAM, serial, OK).raw)
        answer(client)


def downloads(path: Path) -> None:
    """Download the same volume for ever."""
    client = idle_client(path, URI)
    args = remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=0)
    for serial in range(3, 1 << 30):
        client.sendall(remote.STORAGE_VOL_DOWNLOAD.call_frame(serial, args).raw)
        framer = Framer()
        while not any(frame.type == STREAM and frame.status != CONTINUE for frame in framer.feed(client.recv(1 << 20))):
            pass


def answer(client: socket.socket) -> None:
    """Wait for one packet."""
    framer = Framer()
    while not framer.feed(client.recv(65536)):
        pass


def arrivals(path: Path) -> None:
    """Connect, ask for the authentication and leave, for ever."""
    while True:
        idle_client(path, None).close()


def kinds() -> Iterator[str]:
    """Every kind of flood."""
    yield from (*PACKETS, "unread answers", "uploads", "downloads", "new connections")


def main() -> None:
    """Flood as the command line says."""
    kind, path = sys.argv[1], Path(sys.argv[2])
    others: dict[str, Callable[[Path], None]] = {
        "unread answers": lambda path: pour(path, calls(remote.AUTH_LIST.number, MANY), reads=False),
        "uploads": uploads,
        "downloads": downloads,
        "new connections": arrivals,
    }
    if kind in others:
        others[kind](path)
    else:
        pour(path, PACKETS[kind]())


if __name__ == "__main__":
    main()
