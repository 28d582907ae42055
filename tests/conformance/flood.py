# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client that asks without end and reads nothing, on a bare socket."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from virtproxy.protocol import remote


class Flood:
    """Opens qemu:///system on a UNIX socket; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(path))
        self.serial = 0
        self.ask(remote.AUTH_LIST.call_frame(self.next(), None).raw)
        opening = remote.ConnectOpenArgs(name="qemu:///system", flags=0)
        self.ask(remote.CONNECT_OPEN.call_frame(self.next(), opening).raw)

    def __enter__(self) -> Flood:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def next(self) -> int:
        """A serial that was not used."""
        self.serial += 1
        return self.serial

    def ask(self, packet: bytes) -> None:
        """One call and its answer."""
        self.sock.sendall(packet)
        head = self.sock.recv(4, socket.MSG_WAITALL)
        self.sock.recv(int.from_bytes(head, "big") - 4, socket.MSG_WAITALL)

    def send(self, seconds: float) -> int:
        """Sends calls for that long as far as they are taken, reads nothing; how many bytes went out."""
        self.sock.setblocking(False)
        deadline, sent, rest = time.monotonic() + seconds, 0, b""
        while time.monotonic() < deadline:
            rest = rest or remote.CONNECT_GET_CAPABILITIES.call_frame(self.next(), None).raw
            try:
                count = self.sock.send(rest)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            sent, rest = sent + count, rest[count:]
        return sent
