# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the log goes: stderr, a file, syslog, the journal; as lines of libvirt's form or of JSON.

``log`` opens them and writes to them. None may block for long: a message that syslog or the journal does not take at
once is an OSError, and lost.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Protocol

from virtproxy.daemon.failure import reason
from virtproxy.daemon.journal import JOURNAL_SOCKET, Journal
from virtproxy.daemon.log_entry import SEVERITIES, Entry
from virtproxy.daemon.log_settings import Output

SYSLOG_SOCKET = "/dev/log"
# LOG_DAEMON, in the place where a message's priority has it.
_FACILITY = 3 << 3
# RFC 3164 says 1,024 bytes, today's take 8 KiB.
_SYSLOG_MAX = 8192


class OutputError(Exception):
    """Why a place cannot be logged to; ``errno`` and ``path`` of a file that cannot be opened."""

    def __init__(self, text: str, errno: int | None = None, path: str = "") -> None:
        super().__init__(text)
        self.errno, self.path = errno, path


class Writer(Protocol):
    """One place; ``write`` raises OSError if a message is lost."""

    def write(self, entry: Entry) -> None: ...
    def reopen(self) -> None: ...
    def close(self) -> None: ...


def line_of(entry: Entry) -> str:
    """Return libvirt's form of a log line: time, process, level, module, message; before that, about whom it is."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(entry.time))
    millis = int(entry.time * 1000) % 1000
    head = f"{stamp}.{millis:03d}+0000: {os.getpid()}: {entry.level.name.lower()} : {entry.module} : "
    return f"{head}{_about(entry)}{entry.text}\n"


def _about(entry: Entry) -> str:
    words = [] if entry.connection is None else [f"client {entry.connection}"]
    words += [] if entry.subject is None else [entry.subject]
    return f"[{', '.join(words)}] " if words else ""


def json_of(entry: Entry) -> str:
    """Return the message as a JSON object of one line; what does not apply is left out."""
    millis = int(entry.time * 1000) % 1000
    members = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(entry.time)) + f".{millis:03d}Z",
        "pid": os.getpid(),
        "level": entry.level.name.lower(),
        "module": entry.module,
        "message": entry.message,
        "connection": entry.connection,
        "subject": entry.subject,
        "traceback": "\n".join(entry.trace) or None,
    }
    return json.dumps({name: value for name, value in members.items() if value is not None}) + "\n"


class StderrWriter:
    """Standard error, which is somebody else's to close."""

    def __init__(self, form: Callable[[Entry], str]) -> None:
        self._form = form

    def write(self, entry: Entry) -> None:
        """Write one message."""
        sys.stderr.write(self._form(entry))

    def reopen(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """There is nothing to close."""


class FileWriter:
    """A file, to whose end is written; for its owner's eyes where it is made. Raises OutputError."""

    def __init__(self, path: str, form: Callable[[Entry], str]) -> None:
        self._path = path
        self._form = form
        self._fd = self._open()

    def _open(self) -> int:
        # A pipe that nobody reads is an error instead of a wait.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            return os.open(self._path, flags, 0o600)
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            number = error.errno if isinstance(error, OSError) else None
            raise OutputError(f"cannot write the log file {self._path}: {why}", number, self._path) from None

    def write(self, entry: Entry) -> None:
        """Write one message."""
        os.write(self._fd, self._form(entry).encode("utf-8", "backslashreplace"))

    def reopen(self) -> None:
        """Go on in the file that has the name now. Raises OutputError, and goes on in the old one then."""
        before, self._fd = self._fd, self._open()
        os.close(before)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class SyslogWriter:
    """The host's syslog, for messages of ``name``; who is not there yet may come later."""

    def __init__(self, name: str, path: str = SYSLOG_SOCKET) -> None:
        self._name = name
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def write(self, entry: Entry) -> None:
        """Send one message, a line of a traceback each on its own. Raises OSError if it is not taken at once."""
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(entry.time))
        head = f"<{_FACILITY | SEVERITIES[entry.level]}>{stamp} {self._name}[{os.getpid()}]: "
        for line in (f"{entry.module} : {_about(entry)}{entry.message}", *entry.trace):
            self._socket.sendto(f"{head}{line}".encode("utf-8", "backslashreplace")[:_SYSLOG_MAX], self._path)

    def reopen(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class JournalWriter(Journal):
    """The journal. Raises OutputError where there is none."""

    def __init__(self, name: str, path: str = JOURNAL_SOCKET) -> None:
        if not os.path.exists(path):
            raise OutputError(f"the output journald: {path} does not exist on this host")
        super().__init__(name, path)

    def reopen(self) -> None:
        """There is nothing to open."""


def writer(output: Output, name: str) -> Writer:
    """Return what writes to ``output`` for the daemon ``name``. Raises OutputError."""
    if output.kind == "file":
        return FileWriter(output.target, line_of)
    if output.kind == "syslog":
        return SyslogWriter(output.target)
    if output.kind == "journald":
        return JournalWriter(name)
    form = json_of if output.kind == "json" else line_of
    if output.target in ("", "stderr"):
        return StderrWriter(form)
    return FileWriter(output.target, form)
