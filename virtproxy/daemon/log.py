# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where log messages go: stderr, a file, syslog or the journal, each from a level up.

``run`` calls ``start_logging``; under twistd, whose own log goes on, ``add_outputs``. Everything else in the
project only uses ``twisted.logger``. It must not block and must not fail a daemon that cannot log.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    eventAsText,
    formatEvent,
    globalLogBeginner,
    globalLogPublisher,
)
from zope.interface import implementer

from virtproxy.daemon.failure import ExitCode, StartupError, reason
from virtproxy.daemon.journal import JOURNAL_SOCKET, Journal
from virtproxy.daemon.log_settings import Filter, Level, LogSettings, Output

# Takes a level, the module and the text of one message.
Write = Callable[[Level, str, str], None]

_LEVELS = {
    LogLevel.debug: Level.DEBUG,
    LogLevel.info: Level.INFO,
    LogLevel.warn: Level.WARNING,
    LogLevel.error: Level.ERROR,
    LogLevel.critical: Level.ERROR,
}

# A client chooses some of what is logged: it must not be able to forge lines or drive a terminal.
_CONTROL = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
# What some take for the end of a line as well.
_CONTROL |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}


@implementer(ILogObserver)
class LogOutput:
    """Passes on what the settings let through to one place."""

    def __init__(self, settings: LogSettings, level: Level, write: Write) -> None:
        self._default = settings.level
        self._filters = settings.filters
        self._level = level
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        """Log one event; what goes wrong on the way is nobody's failure."""
        level = _LEVELS.get(event.get("log_level", LogLevel.info), Level.INFO)
        if level < self._level:
            return
        module = str(event.get("log_namespace", "-"))
        if level < _threshold(module, self._filters, self._default):
            return
        with contextlib.suppress(OSError, ValueError):
            self._write(level, module, text_of(event))


def _threshold(module: str, filters: Sequence[Filter], default: Level) -> Level:
    for entry in filters:
        if entry.match in module or fnmatchcase(module, entry.match):
            return entry.level
    return default


def text_of(event: LogEvent) -> str:
    """Return the message of ``event`` without control characters, and below it the traceback if it has one."""
    text = formatEvent(event).translate(_CONTROL)
    if "log_failure" in event:
        trace = eventAsText(event, includeTimestamp=False, includeSystem=False)
        text += "".join("\n" + line.translate(_CONTROL) for line in trace.splitlines()[1:])
    return text


def _line_writer(put: Callable[[str], object]) -> Write:
    """Return a writer of libvirt's form of a log line: time, process, level, module, message."""

    def write(level: Level, module: str, text: str) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
        millis = int(now * 1000) % 1000
        put(f"{stamp}.{millis:03d}+0000: {os.getpid()}: {level.name.lower()} : {module} : {text}\n")

    return write


def _file_writer(path: str) -> Write:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        problem = f"cannot write the log file {path}: {reason(error)}; set log_outputs"
        raise StartupError(problem, ExitCode.CONFIGURATION) from None
    return _line_writer(lambda line: os.write(fd, line.encode("utf-8", "backslashreplace")))


def _syslog_writer(name: str) -> Write:
    import syslog

    priorities = {
        Level.DEBUG: syslog.LOG_DEBUG,
        Level.INFO: syslog.LOG_INFO,
        Level.WARNING: syslog.LOG_WARNING,
        Level.ERROR: syslog.LOG_ERR,
    }
    syslog.openlog(name, syslog.LOG_PID, syslog.LOG_DAEMON)

    def write(level: Level, module: str, text: str) -> None:
        for line in text.splitlines():
            syslog.syslog(priorities[level], line.encode("utf-8", "backslashreplace").decode())

    return write


def _journal_writer(name: str) -> Write:
    if not os.path.exists(JOURNAL_SOCKET):
        problem = f"log_outputs asks for journald, but {JOURNAL_SOCKET} does not exist on this host"
        raise StartupError(problem, ExitCode.CONFIGURATION)
    return Journal(name).write


def observers(settings: LogSettings, name: str) -> list[ILogObserver]:
    """Return an observer for each of the outputs. Raises StartupError for one that cannot be written."""
    return [LogOutput(settings, output.level, _writer(output, name)) for output in settings.outputs]


def _writer(output: Output, name: str) -> Write:
    if output.kind == "file":
        return _file_writer(output.target)
    if output.kind == "syslog":
        return _syslog_writer(output.target)
    if output.kind == "journald":
        return _journal_writer(name)
    return _line_writer(sys.stderr.write)


def default_output(log_dir: str, name: str, level: Level, *, background: bool) -> Output:
    """Return where a daemon logs that was not told: stderr, or the journal or a file of its own in the background."""
    if not background:
        return Output(level, "stderr")
    if os.path.exists(JOURNAL_SOCKET):
        return Output(level, "journald")
    return Output(level, "file", os.path.join(log_dir, f"{name}.log"))


def start_logging(settings: LogSettings, name: str, log_dir: str, *, background: bool) -> None:
    """Begin to log, with what was logged before this call. Raises StartupError."""
    if not settings.outputs:
        output = default_output(log_dir, name, settings.level, background=background)
        if output.kind == "file":
            Path(log_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = LogSettings(settings.level, settings.filters, (output,))
    globalLogBeginner.beginLoggingTo(observers(settings, name), redirectStandardIO=False, discardBuffer=False)


def add_outputs(settings: LogSettings, name: str) -> None:
    """Log to the outputs that were chosen, beside those that are there. Raises StartupError."""
    for observer in observers(settings, name):
        globalLogPublisher.addObserver(observer)
