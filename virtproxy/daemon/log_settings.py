# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon logs, and where to: libvirt's settings and environment variables, read, checked and shown.

Called by ``plan``, and by ``log`` for what is changed while the daemon runs. It must open nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.settings import Settings


class Level(IntEnum):
    """libvirt's log levels."""

    DEBUG = 1
    INFO = 2
    WARNING = 3
    ERROR = 4


@dataclass(frozen=True, slots=True)
class Filter:
    """Messages of the modules whose name holds ``match`` are logged from ``level`` up."""

    level: Level
    match: str

    @property
    def pattern(self) -> str:
        """What a module's whole name is compared with, in the form that libvirt's daemons show too."""
        inner = self.match.strip("*")
        return f"*{inner}*" if inner else "*"

    def __str__(self) -> str:
        return f"{self.level:d}:{self.pattern}"


@dataclass(frozen=True, slots=True)
class Output:
    """One place to log to. ``kind``: stderr, syslog, file, journald, json; ``target`` is the name or the path.

    That of json is a path or "stderr".
    """

    level: Level
    kind: str
    target: str = ""

    def __str__(self) -> str:
        return ":".join([f"{self.level:d}", self.kind, *([self.target] if self.target else [])])


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What to log; ``outputs`` is empty when nothing was chosen, and the daemon picks one."""

    level: Level
    filters: tuple[Filter, ...] = ()
    outputs: tuple[Output, ...] = ()


WITH_TARGET = {"syslog", "file", "json"}
KINDS = {"stderr", "journald"} | WITH_TARGET


T = TypeVar("T")


class LogSettingError(ValueError):
    """What is wrong with one word of a log setting."""


def log_settings(settings: Settings, environ: Mapping[str, str], *, verbose: bool) -> LogSettings:
    """Return what to log. The environment wins over the file, and ``verbose`` asks for INFO at least.

    Reads LIBVIRT_DEBUG, LIBVIRT_LOG_FILTERS and LIBVIRT_LOG_OUTPUTS. Raises ConfigError or StartupError.
    """
    level = _level(settings, environ)
    if verbose:
        level = min(level, Level.INFO)
    return LogSettings(
        level,
        _chosen(filters_of, "log_filters", "LIBVIRT_LOG_FILTERS", settings, environ),
        _chosen(outputs_of, "log_outputs", "LIBVIRT_LOG_OUTPUTS", settings, environ),
    )


def _level(settings: Settings, environ: Mapping[str, str]) -> Level:
    number = settings.number("log_level")
    level = Level(number) if number else Level.WARNING
    name = environ.get("LIBVIRT_DEBUG", "")
    if not name:
        return level
    named = {"debug": Level.DEBUG, "info": Level.INFO, "warning": Level.WARNING, "error": Level.ERROR}
    named |= {str(int(value)): value for value in Level}
    if name.lower() not in named:
        raise _environment_error("LIBVIRT_DEBUG", f'expected a level from 1 (debug) to 4 (error), not "{name}"')
    return named[name.lower()]


def _environment_error(variable: str, problem: str) -> StartupError:
    return StartupError(f"environment variable {variable}: {problem}", ExitCode.CONFIGURATION)


def filters_of(text: str) -> tuple[Filter, ...]:
    """Return the filters in ``text``, as in log_filters. Raises LogSettingError."""
    return tuple(_filter(word) for word in text.split())


def outputs_of(text: str) -> tuple[Output, ...]:
    """Return the outputs in ``text``, as in log_outputs. Raises LogSettingError."""
    return tuple(_output(word) for word in text.split())


def _chosen(read: Callable[[str], T], key: str, variable: str, settings: Settings, environ: Mapping[str, str]) -> T:
    """Return what ``read`` makes of the environment's ``variable``, else of ``key``."""
    text = environ.get(variable, "")
    try:
        return read(text or settings.text(key) or "")
    except LogSettingError as problem:
        if text:
            raise _environment_error(variable, str(problem)) from None
        raise settings.error(key, f"{key}: {problem}") from None


def _filter(word: str) -> Filter:
    level, colon, match = word.partition(":")
    match = match.removeprefix("+")  # libvirt once printed stacks for these
    if not colon or not match:
        raise LogSettingError(f'expected filters such as "1:routing", found "{word}"')
    return Filter(_named_level(level, word), match)


def _output(word: str) -> Output:
    level, _, rest = word.partition(":")
    kind, colon, target = rest.partition(":")
    if kind not in KINDS:
        examples = '"1:stderr", "2:file:/path", "3:syslog:name", "4:journald" or "1:json:/path"'
        raise LogSettingError(f'expected outputs such as {examples}, found "{word}"')
    if (kind in WITH_TARGET) != bool(target) or (colon and not target):
        raise LogSettingError(
            f'the output "{word}" {"needs" if kind in WITH_TARGET else "takes no"} text after {kind}:'
        )
    if kind == "json" and target == "stderr":
        return Output(_named_level(level, word), kind, target)
    if kind in {"file", "json"} and not os.path.isabs(target):
        raise LogSettingError(f'the file of the output "{word}" must be an absolute path')
    return Output(_named_level(level, word), kind, target)


def _named_level(level: str, word: str) -> Level:
    if level not in {"1", "2", "3", "4"}:
        raise LogSettingError(f'expected a level from 1 (debug) to 4 (error) at the start of "{word}"')
    return Level(int(level))
