# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connects to a daemon's UNIX socket. The relay and the client library call it."""

from __future__ import annotations

import socket

from twisted.internet.defer import Deferred

from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.transport import SocketTransport, StreamProtocol

# A full backlog answers EAGAIN on a UNIX socket; the daemon is there, just busy.
BACKLOG_RETRY_SECONDS = 0.02
BACKLOG_TRIES = 250
# A stream packet is 256 KiB; a smaller buffer makes both processes wait for each other at every one.
SEND_BUFFER = 1024 * 1024
# From the kernel's socket.h; Python does not name it.
SO_SNDBUFFORCE = 32


async def connect_unix(reactor: StreamReactor, path: str, protocol: StreamProtocol) -> None:
    """Connect `protocol` to the socket at `path`; raises OSError as the kernel says it."""
    for attempt in range(BACKLOG_TRIES):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            widen(sock)
            sock.connect(path)
        except BlockingIOError:
            sock.close()
            if attempt == BACKLOG_TRIES - 1:
                raise
            pause: Deferred[None] = Deferred()
            reactor.callLater(BACKLOG_RETRY_SECONDS, pause.callback, None)
            await pause
        except BaseException:
            sock.close()
            raise
        else:
            SocketTransport(reactor, sock, protocol).start()
            return


def widen(sock: socket.socket) -> None:
    """Let the kernel keep some stream packets for a busy peer; as much as our rights permit."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
