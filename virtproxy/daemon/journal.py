# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends messages to systemd's journal in its own protocol (systemd's page "Native Journal Protocol").

Called by ``log``. A message the journal does not take at once is dropped: a log must not stop a daemon.
"""

from __future__ import annotations

import contextlib
import socket
import struct

from virtproxy.daemon.log_settings import Level

JOURNAL_SOCKET = "/run/systemd/journal/socket"

# A datagram must fit the socket's buffer, whose default is above 200 KiB.
_TEXT_MAX = 64 * 1024

# RFC 5424 severities.
_PRIORITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4, Level.ERROR: 3}


def datagram(fields: dict[str, str]) -> bytes:
    """Return the journal's form of ``fields``; a value of several lines is sent with its length."""
    parts = bytearray()
    for name, text in fields.items():
        value = text.encode("utf-8", "backslashreplace")
        if b"\n" in value:
            parts += name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
        else:
            parts += name.encode() + b"=" + value + b"\n"
    return bytes(parts)


class Journal:
    """The journal, for the daemon ``name``; ``path`` is its socket."""

    def __init__(self, name: str, path: str = JOURNAL_SOCKET) -> None:
        self._name = name
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def write(self, level: Level, module: str, text: str) -> None:
        """Send one message, or drop it."""
        fields = {
            "MESSAGE": text[:_TEXT_MAX],
            "PRIORITY": str(_PRIORITIES[level]),
            "SYSLOG_IDENTIFIER": self._name,
            "VIRTPROXY_MODULE": module,
        }
        with contextlib.suppress(OSError):
            self.send(fields)

    def send(self, fields: dict[str, str]) -> None:
        """Send a message of these fields. Raises OSError if the journal does not take it at once."""
        self._socket.sendto(datagram(fields), self._path)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
