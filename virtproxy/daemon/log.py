# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log of a daemon: which messages, and where they go, now and when somebody changes that while it runs.

``run`` calls ``start_logging``; under twistd, whose own log goes on, ``add_logging``. Everything else in the project
only uses ``twisted.logger``, with ``client=`` where a message is about one. It must not block, and must not fail a
daemon that cannot log.
"""

from __future__ import annotations

import os
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, globalLogBeginner, globalLogPublisher
from zope.interface import implementer

from virtproxy import errors
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.journal import JOURNAL_SOCKET
from virtproxy.daemon.log_entry import LEVELS, entry_of
from virtproxy.daemon.log_settings import Level, LogSettingError, LogSettings, Output, filters_of, outputs_of
from virtproxy.daemon.log_writers import OutputError, Writer, writer
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

# How many modules' levels are remembered: there are fewer, and strangers' names must not fill the memory.
_MODULES_MAX = 4096


@implementer(ILogObserver)
class DaemonLog:
    """Passes on what the settings let through to every output.

    ``default`` is where a daemon logs that nobody told where, None for nowhere. ``dropped`` counts messages that were
    lost, by the kind of the output. Raises OutputError.
    """

    _log = Logger()

    def __init__(self, settings: LogSettings, name: str, default: Output | None) -> None:
        self._name = name
        self._default = default
        self._level = settings.level
        self._filters = settings.filters
        # The level from which each module is logged, by its name.
        self._thresholds: dict[str, Level] = {}
        self.dropped: Counter[str] = Counter()
        self._writers: list[tuple[Output, Writer]] = self._opened(settings.outputs)

    def _opened(self, outputs: tuple[Output, ...]) -> list[tuple[Output, Writer]]:
        if not outputs and self._default is not None:
            outputs = (self._default,)
        opened: list[tuple[Output, Writer]] = []
        try:
            for output in outputs:
                opened.append((output, writer(output, self._name)))
        except BaseException:
            for _, one in opened:
                one.close()
            raise
        return opened

    def __call__(self, event: LogEvent) -> None:
        """Log one event; what goes wrong on the way is nobody's failure."""
        level = LEVELS.get(event.get("log_level", LogLevel.info), Level.INFO)
        module = str(event.get("log_namespace", "-"))
        if level < self._threshold(module):
            return
        entry = None
        for output, one in self._writers:
            if level < output.level:
                continue
            entry = entry or entry_of(event, level, module)
            try:
                one.write(entry)
            except (OSError, ValueError):
                self.dropped[output.kind] += 1

    def _threshold(self, module: str) -> Level:
        known = self._thresholds.get(module)
        if known is None:
            fits = (entry.level for entry in self._filters if fnmatchcase(module, entry.pattern))
            known = next(fits, self._level)
            if len(self._thresholds) >= _MODULES_MAX:
                self._thresholds.clear()
            self._thresholds[module] = known
        return known

    # While the daemon runs

    @property
    def filters(self) -> str:
        """The filters that are in force, as libvirt's daemons show theirs ("3:*remote* 4:*event*")."""
        return " ".join(map(str, self._filters))

    @property
    def outputs(self) -> str:
        """The outputs that are in force, in the form of log_outputs."""
        return " ".join(str(output) for output, _ in self._writers)

    def set_filters(self, text: str) -> None:
        """Use these filters from now on; none, if ``text`` is empty. Raises VirtError, and changes nothing then."""
        try:
            filters = filters_of(text)
        except LogSettingError as problem:
            raise errors.invalid_arg(str(problem)) from None
        self._filters = filters
        self._thresholds.clear()
        self._log.info("the log's filters are now: {filters}", filters=self.filters or "none")

    def set_outputs(self, text: str) -> None:
        """Log to these outputs from now on; the daemon's default, if ``text`` is empty.

        Raises VirtError, and changes nothing then. Opens files.
        """
        try:
            opened = self._opened(outputs_of(text))
        except LogSettingError as problem:
            raise errors.invalid_arg(str(problem)) from None
        except OutputError as problem:
            raise _refusal(problem) from None
        self.close()
        self._writers = opened
        self._log.info("the log's outputs are now: {outputs}", outputs=self.outputs or "none")

    def reopen(self) -> None:
        """Go on in the files that have the names now, after somebody moved the old ones away (SIGHUP, logrotate)."""
        for _, one in self._writers:
            try:
                one.reopen()
            except OutputError as problem:
                self._log.warn("{problem}; the log goes on in the file that was moved away", problem=problem)

    def close(self) -> None:
        """Log to nothing any more."""
        before, self._writers = self._writers, []
        for _, one in before:
            one.close()


def _refusal(problem: OutputError) -> VirtError:
    if problem.errno is None:
        return errors.invalid_arg(str(problem))
    detail = f"failed to open {problem.path}: {os.strerror(problem.errno)}"
    return VirtError.of(ErrorCode.SYSTEM_ERROR, detail, int1=problem.errno)


def default_output(log_dir: str, name: str, level: Level, *, background: bool) -> Output:
    """Return where a daemon logs that was not told: stderr, or the journal or a file of its own in the background."""
    if not background:
        return Output(level, "stderr")
    if os.path.exists(JOURNAL_SOCKET):
        return Output(level, "journald")
    return Output(level, "file", os.path.join(log_dir, f"{name}.log"))


def _made(settings: LogSettings, name: str, default: Output | None) -> DaemonLog:
    if default is not None and default.kind == "file" and not settings.outputs:
        Path(default.target).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return DaemonLog(settings, name, default)
    except OutputError as problem:
        raise StartupError(f"{problem}; set log_outputs", ExitCode.CONFIGURATION) from None


def start_logging(settings: LogSettings, name: str, log_dir: str, *, background: bool) -> DaemonLog:
    """Begin to log, with what was logged before this call. Raises StartupError."""
    log = _made(settings, name, default_output(log_dir, name, settings.level, background=background))
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False, discardBuffer=False)
    return log


def add_logging(settings: LogSettings, name: str) -> DaemonLog:
    """Log to the outputs that were chosen, beside what is logged already. Raises StartupError."""
    log = _made(settings, name, None)
    globalLogPublisher.addObserver(log)
    return log
