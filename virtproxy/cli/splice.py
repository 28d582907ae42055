# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies bytes both ways between standard input/output and a socket until the socket's side ends.

virt-ssh-helper calls it. One blocking thread a direction: a reader that stops stops its writer, so at most one
buffer a direction is held. It must not look into the bytes.
"""

from __future__ import annotations

import os
import socket
import threading

BUFFER_SIZE = 262144


def splice(sock: socket.socket, source: int = 0, sink: int = 1) -> None:
    """Copy fd ``source`` into ``sock`` and ``sock`` into fd ``sink``; return when ``sock`` has ended.

    The end of ``source`` is passed on as a half-close: what the daemon still has to say is delivered.
    Raises BrokenPipeError when ``sink`` is closed by its reader.
    """
    threading.Thread(target=_feed, args=(source, sock), daemon=True).start()
    while data := _receive(sock):
        _write_all(sink, data)


def _feed(source: int, sock: socket.socket) -> None:
    try:
        while data := os.read(source, BUFFER_SIZE):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the socket has ended: the other direction sees it too and returns


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(BUFFER_SIZE)
    except ConnectionResetError:
        return b""


def _write_all(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]
