# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TCP port that passes everything on to another and keeps a copy: what somebody on the way would see."""

from __future__ import annotations

import contextlib
import socket
import threading


class Recorder:
    """Listens on `port` (of loopback) for connections to `target`; `seen` has every byte of both directions."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent, self.received = bytearray(), bytearray()
        self._sockets = [self._listener]
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def seen(self) -> bytes:
        """Everything that passed."""
        return bytes(self.sent + self.received)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for one, other, copy in ((client, server, self.sent), (server, client, self.received)):
                    threading.Thread(target=self._pump, args=(one, other, copy), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, copy: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                copy += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Cut everything off."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
