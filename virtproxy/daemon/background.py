# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts a daemon into the background, and lets the one who started it wait until it is ready.

Called by ``run`` for --daemon, before there is a reactor. The starter ends with 0 only when the daemon listens;
else it ends with the daemon's error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from virtproxy.daemon.failure import ExitCode, StartupError

_READY = b"ready"


class Starter(Protocol):
    """Who waits for the daemon to be ready or to fail; each call may come more than once."""

    def ready(self) -> None:
        """The daemon serves clients."""

    def failed(self, error: StartupError) -> None:
        """The daemon ends because of ``error``."""


class WaitingParent:
    """The process that was started on the command line, at the other end of the pipe ``fd``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def ready(self) -> None:
        """Let the parent end with 0, and the terminal go."""
        self._say(_READY)
        null = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(null, standard)
        os.close(null)

    def failed(self, error: StartupError) -> None:
        """Let the parent print the error and end with its code."""
        self._say(f"{int(error.exit_code)} {error.message}".encode("utf-8", "backslashreplace"))

    def _say(self, what: bytes) -> None:
        if self._fd >= 0:
            os.write(self._fd, what)
            os.close(self._fd)
            self._fd = -1


def in_background(daemon: Callable[[Starter], int]) -> None:
    """Run ``daemon`` in a process of its own session and return when it is ready. Raises its StartupError."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setsid()
        # A session leader could get a terminal by opening one; its child cannot.
        if os.fork():
            os._exit(0)
        _run(daemon, writing)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    if answer != _READY:
        raise _error(answer)


def _run(daemon: Callable[[Starter], int], writing: int) -> None:
    """Run ``daemon`` and end the process, whatever happens: it must not return into the parent's code."""
    code = int(ExitCode.INIT)
    try:
        os.chdir("/")
        code = daemon(WaitingParent(writing))
    finally:
        os._exit(code)


def _error(answer: bytes) -> StartupError:
    code, _, message = answer.decode("utf-8", "replace").partition(" ")
    if not code.isdecimal():
        return StartupError("the daemon died while it started; its log may say why")
    return StartupError(message, ExitCode(int(code)))
