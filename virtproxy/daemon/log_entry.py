# SPDX-License-Identifier: LGPL-2.1-or-later
"""One message of the log, with who it is about, before it has a form.

``log`` makes it of what twisted.logger hands out; ``log_writers`` and ``journal`` give it a form. Whatever a client
chose of it can neither begin another line nor drive a terminal.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FrameType

from twisted.logger import LogEvent, LogLevel, eventAsText, formatEvent

from virtproxy.daemon.log_settings import Level

LEVELS = {
    LogLevel.debug: Level.DEBUG,
    LogLevel.info: Level.INFO,
    LogLevel.warn: Level.WARNING,
    LogLevel.error: Level.ERROR,
    LogLevel.critical: Level.ERROR,
}
# RFC 5424 severities.
SEVERITIES = {Level.DEBUG: 7, Level.INFO: 6, Level.WARNING: 4, Level.ERROR: 3}
# Who calls may have a long name.
SUBJECT_MAX = 1024
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
# What some take for the end of a line as well.
_CONTROL |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}
# What stands between whoever logs and whoever asks where that was.
_LOGGING = {f"virtproxy.daemon.{module}" for module in ("log", "log_entry", "log_writers", "journal")}


@dataclass(frozen=True, slots=True)
class Entry:
    """One message. ``time`` is in seconds since 1970; ``trace`` has the lines of a traceback.

    ``connection`` and ``subject`` are the number and the name of the client that it is about, None if about none.
    """

    level: Level
    module: str
    time: float
    message: str
    trace: tuple[str, ...] = ()
    connection: int | None = None
    subject: str | None = None

    @property
    def text(self) -> str:
        """The message, and below it the traceback if there is one, which nobody takes for another message."""
        return "\n  ".join((self.message, *self.trace))


def plain(text: str) -> str:
    """Return ``text`` in one line, of characters that a terminal only shows."""
    return text.translate(_CONTROL).encode("utf-8", "backslashreplace").decode()


def entry_of(event: LogEvent, level: Level, module: str) -> Entry:
    """Return what ``event`` says; its ``client``, if it has one, is a session or an ``identity.Caller``."""
    client = event.get("client")
    number, identity = getattr(client, "number", None), getattr(client, "identity", None)
    return Entry(
        level,
        module,
        event["log_time"],
        plain(formatEvent(event)),
        _trace(event),
        number if isinstance(number, int) else None,
        None if identity is None else plain(identity.subject[:SUBJECT_MAX]),
    )


def _trace(event: LogEvent) -> tuple[str, ...]:
    if "log_failure" not in event:
        return ()
    lines = eventAsText(event, includeTimestamp=False, includeSystem=False).splitlines()
    # The message itself may be of several.
    return tuple(map(plain, lines[max(1, len(formatEvent(event).splitlines())) :]))


def logged_at() -> tuple[str, int, str] | None:
    """Return the file, the line and the function that logs what is being written right now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module not in _LOGGING and not module.startswith("twisted.logger"):
            return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname
        frame = frame.f_back
    return None
