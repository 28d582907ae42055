# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory: what a thousand idle clients cost the daemon. __main__.py uses it.

The clients are bare sockets that did what every client does (AUTH_LIST, CONNECT_OPEN) and then wait.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from socket import AF_UNIX, socket

from virtproxy.protocol import remote
from virtproxy.wire.framer import Framer


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise SystemExit(f"process {pid} has no VmRSS")


def idle_client(path: Path, uri: str | None) -> socket:
    """A connected client; with a URI it has opened it."""
    client = socket(AF_UNIX)
    client.connect(str(path))
    client.sendall(remote.AUTH_LIST.call_frame(1, None).raw)
    _reply(client)
    if uri is not None:
        client.sendall(remote.CONNECT_OPEN.call_frame(2, remote.ConnectOpenArgs(name=uri, flags=0)).raw)
        _reply(client)
    return client


def _reply(client: socket) -> None:
    framer = Framer()
    while not framer.feed(client.recv(65536)):
        pass


def kib_per_client(path: Path, pid: int, count: int, uri: str | None) -> float:
    """Growth of the daemon's resident memory per idle client, in KiB."""
    with contextlib.ExitStack() as stack:
        for _ in range(20):  # what is made once, at the first clients, is not the price of a client
            stack.enter_context(idle_client(path, uri))
        before = resident_kib(pid)
        for _ in range(count):
            stack.enter_context(idle_client(path, uri))
        time.sleep(0.5)
        return (resident_kib(pid) - before) / count
