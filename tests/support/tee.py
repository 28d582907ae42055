# SPDX-License-Identifier: LGPL-2.1-or-later
"""``tee.py OUTPUT LISTEN=CONNECT...``: UNIX sockets that pass everything on, descriptors too, and write down each
packet.

Run by record.py between a client and a daemon. One packet a line: the number of the connection, ``>`` for what the
client sent or ``<`` for what it got, and the packet in hexadecimal. Plain Python and nothing of ours, so that what
is recorded does not depend on what is tested with it.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import sys
import threading
from typing import TextIO

FDS = 32
CHUNK = 1 << 16
WITH_FDS = (4, 5)


class Cutter:
    """Cuts what went one way into packets and writes them down."""

    def __init__(self, mark: str, output: TextIO) -> None:
        self.mark, self.output, self.pending, self.extra = mark, output, b"", 0

    def feed(self, data: bytes) -> None:
        """Take bytes; write what is complete."""
        self.pending += data
        while self.pending:
            # A descriptor travels in a message of one byte that belongs to no packet.
            drop = min(self.extra, len(self.pending))
            self.pending, self.extra = self.pending[drop:], self.extra - drop
            length = int.from_bytes(self.pending[:4], "big")
            if len(self.pending) < 4 or len(self.pending) < length:
                return
            packet, self.pending = self.pending[:length], self.pending[length:]
            self.output.write(f"{self.mark} {packet.hex()}\n")
            if int.from_bytes(packet[16:20], "big") in WITH_FDS:
                self.extra = int.from_bytes(packet[28:32], "big")


def pump(source: socket.socket, target: socket.socket, cutter: Cutter) -> bool:
    """Pass on what there is; return whether there may be more."""
    data, fds, _, _ = socket.recv_fds(source, CHUNK, FDS)
    if data:
        cutter.feed(data)
        sent = socket.send_fds(target, [data], fds) if fds else target.send(data)
        target.sendall(data[sent:])
    for fd in fds:
        os.close(fd)
    return bool(data)


def serve(client: socket.socket, path: str, number: int, output: TextIO) -> None:
    """Connect to the daemon and pass everything both ways until one side closes."""
    with client, socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(path)
        ways = {
            client: (daemon, Cutter(f"{number} >", output)),
            daemon: (client, Cutter(f"{number} <", output)),
        }
        try:
            while all(pump(source, *ways[source]) for source in select.select(list(ways), [], [])[0]):
                pass
        except OSError:
            pass
        output.flush()


def listen(path: str, target: str, numbers: itertools.count[int], output: TextIO) -> None:
    """Serve every connection of one socket in a thread of its own."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, target, next(numbers), output), daemon=True).start()


def main(output: str, *pairs: str) -> None:
    """Listen until killed."""
    numbers = itertools.count(1)
    with open(output, "w", buffering=1) as file:
        threads = [threading.Thread(target=listen, args=(*pair.split("="), numbers, file)) for pair in pairs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
