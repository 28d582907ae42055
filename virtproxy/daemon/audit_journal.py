# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's records in systemd's journal, and its anchors in the system's log.

``audit_log`` calls it. The file is the record; the journal has a copy for whoever collects journals, and may miss one
when it does not take it at once, which is said. Nothing here waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable

from virtproxy.access.audit.choose import object_text, result_text, subject_text
from virtproxy.daemon.journal import JOURNAL_SOCKET, Journal
from virtproxy.daemon.log_entry import Entry
from virtproxy.daemon.log_settings import Level

SYSLOG_SOCKET = "/dev/log"
# RFC 5424: facility 10 (security), severity 5 (notice).
_SYSLOG_PRIORITY = 10 * 8 + 5
# Larger records are in the file only; the journal has everything but the document.
_RECORD_MAX = 48 * 1024
_PLAIN = {"event": "EVENT", "seq": "SEQ", "client": "CLIENT", "transport": "TRANSPORT", "address": "ADDRESS",
          "daemon": "DAEMON", "procedure": "PROCEDURE", "decision": "DECISION", "rule": "RULE",
          "result": "RESULT", "ms": "MS"}  # fmt: skip
_SUBJECT = {"user": "USER", "uid": "UID", "sasl": "SASL", "x509": "X509", "pid": "PID"}


def fields_of(line: bytes, daemon: str) -> dict[str, str]:
    """The journal's fields of one record; their names begin with VIRTPROXY_."""
    record = json.loads(line)
    text = " ".join(
        filter(None, (record["event"], record.get("procedure"), object_text(record), "by", subject_text(record)))
    )
    fields = {
        "MESSAGE": f"audit: {text}: {result_text(record)}",
        "PRIORITY": "5" if record.get("decision") == "denied" else "6",
        "SYSLOG_IDENTIFIER": daemon,
    }
    fields |= {f"VIRTPROXY_{field}": str(record[name]) for name, field in _PLAIN.items() if name in record}
    subject = record.get("subject", {})
    fields |= {f"VIRTPROXY_SUBJECT_{field}": str(subject[name]) for name, field in _SUBJECT.items() if name in subject}
    for thing in record.get("objects", ())[:1]:
        fields |= {
            f"VIRTPROXY_OBJECT_{name.upper()}": str(thing[name]) for name in ("kind", "name", "uuid") if name in thing
        }
    if len(line) <= _RECORD_MAX:
        fields["VIRTPROXY_RECORD"] = line[:-1].decode()
    return fields


class JournalTee:
    """Sends each record to the journal. ``warn`` is told once when one is not taken, and when it works again."""

    def __init__(self, daemon: str, warn: Callable[[str], None], path: str = JOURNAL_SOCKET) -> None:
        self._daemon = daemon
        self._warn = warn
        self._journal = Journal(daemon, path)
        self._lost = 0

    def __call__(self, line: bytes) -> None:
        """Send one."""
        try:
            self._journal.send(fields_of(line, self._daemon))
        except OSError as error:
            if not self._lost:
                self._warn(f"the journal does not take audit records: {error.strerror}; the audit log has them")
            self._lost += 1
            return
        if self._lost:
            self._warn(f"the journal takes audit records again; {self._lost} are in the audit log only")
            self._lost = 0

    def close(self) -> None:
        """Close the socket."""
        self._journal.close()


class Anchors:
    """Leaves the end of the chain in the journal or, without one, with syslog."""

    def __init__(self, daemon: str, journal: str = JOURNAL_SOCKET, syslog: str = SYSLOG_SOCKET) -> None:
        self._daemon = daemon
        self._syslog_path = syslog
        self._journal = Journal(daemon, journal) if os.path.exists(journal) else None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def leave(self, number: int, link: str) -> None:
        """Leave one: ``virtproxy audit verify --anchor NUMBER:LINK`` compares it."""
        text = f"audit anchor {number}:{link}"
        if self._journal is not None:
            with contextlib.suppress(OSError):  # the next one may get there
                self._journal.write(Entry(Level.INFO, "virtproxy.audit", time.time(), text))
            return
        try:
            self._socket.sendto(
                f"<{_SYSLOG_PRIORITY}>{self._daemon}[{os.getpid()}]: {text}".encode(), self._syslog_path
            )
        except OSError:
            return

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        if self._journal is not None:
            self._journal.close()
