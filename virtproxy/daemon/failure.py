# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon says, and exits with, when it cannot start.

Raised by every file of this room; ``run`` and the twistd plugins turn it into one line and an exit code.
It must not carry secrets: its text goes to the terminal and to the log.
"""

from __future__ import annotations

from enum import IntEnum

_LENGTH_MAX = 1000


class ExitCode(IntEnum):
    """libvirt's exit codes of a daemon (VIR_DAEMON_ERR_*); option, configuration and log errors are 1 too."""

    NONE = 0
    PIDFILE = 1
    CONFIGURATION = 1
    RUNDIR = 2
    INIT = 3
    SIGNAL = 4
    PRIVS = 5
    NETWORK = 6
    CONFIG = 7
    HOOKS = 8
    REEXEC = 9
    AUDIT = 10
    DRIVER = 11


class StartupError(Exception):
    """The daemon cannot start; the text says what is wrong and what to do, in one or a few lines."""

    exit_code: ExitCode = ExitCode.INIT

    def __init__(self, message: str, exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(StartupError):
    """A configuration file that cannot be read or says something impossible.

    ``line`` counts from 1; None when the whole file is meant, as with one that is missing.
    """

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, path: str, line: int | None, problem: str) -> None:
        place = path if line is None else f"{path}:{line}"
        problem = _visible(problem)
        super().__init__(f"{place}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


def _visible(problem: str) -> str:
    """A problem with whatever a file says in it, for a terminal: nothing steers that or fills it. Lines stay lines."""
    if len(problem) > _LENGTH_MAX:
        problem = f"{problem[: _LENGTH_MAX - 3]}..."
    if problem.isprintable():
        return problem
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in problem)


def reason(error: OSError) -> str:
    """The operating system's words for ``error``, without the number and the file name."""
    return error.strerror or str(error)
