# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends messages to systemd's journal in its own protocol (systemd's page "Native Journal Protocol").

``log_writers`` writes the log with it, ``audit_journal`` the audit's records. A message that the journal does not take
at once is its caller's to drop: a log must not stop a daemon.
"""

from __future__ import annotations

import socket
import struct

from virtproxy.daemon.log_entry import SEVERITIES, Entry, logged_at

JOURNAL_SOCKET = "/run/systemd/journal/socket"
# That of daemons, as libvirt's are logged with.
_FACILITY = "3"

# A datagram must fit the socket's buffer, whose default is above 200 KiB; in bytes.
_TEXT_MAX = 64 * 1024


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

    def write(self, entry: Entry) -> None:
        """Send one message of the log, with whom it is about. Raises OSError if the journal does not take it."""
        self.send(fields_of(entry, self._name))

    def send(self, fields: dict[str, str]) -> None:
        """Send a message of these fields. Raises OSError if the journal does not take it at once."""
        self._socket.sendto(datagram(fields), self._path)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def fields_of(entry: Entry, name: str) -> dict[str, str]:
    """Return the journal's fields of a message of the daemon ``name`` that is being logged right now."""
    text = entry.text.encode("utf-8", "backslashreplace")[:_TEXT_MAX].decode("utf-8", "ignore")
    fields = {
        "MESSAGE": text,
        "PRIORITY": str(SEVERITIES[entry.level]),
        "SYSLOG_FACILITY": _FACILITY,
        "SYSLOG_IDENTIFIER": name,
        "LIBVIRT_SOURCE": entry.module,
    }
    place = logged_at()
    if place is not None:
        fields |= {"CODE_FILE": place[0], "CODE_LINE": str(place[1]), "CODE_FUNC": place[2]}
    if entry.connection is not None:
        fields["VIRTPROXY_CONNECTION"] = str(entry.connection)
    if entry.subject is not None:
        fields["VIRTPROXY_SUBJECT"] = entry.subject
    return fields
