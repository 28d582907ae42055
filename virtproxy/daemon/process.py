# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon sets up of its process once it is to serve: descriptors, signals, memory.

Called by ``run`` and by the twistd service. A library that embeds a daemon's parts must not call it: it changes
the whole process.
"""

from __future__ import annotations

import atexit
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.reactors import ProgramReactor

# Each client needs descriptors for itself and its backends; libvirt's units ask for as many.
_FILES_MAX = 524288
_ENDING = (signal.SIGINT, signal.SIGTERM)
_log = Logger()


def allow_files() -> None:
    """Use as many file descriptors as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def on_hangup(reactor: ProgramReactor, hung_up: Callable[[], None]) -> None:
    """Call ``hung_up`` in the reactor's turn at each SIGHUP, which would end the process otherwise."""
    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(hung_up))


async def end(reactor: ProgramReactor, stop: Coroutine[Any, Any, None], told_again: Callable[[], None]) -> None:
    """Await ``stop``; ``told_again`` is called in the reactor's turn if the daemon is told to end once more meanwhile.

    Nothing ends it in another way: it is soon gone.
    """

    def again(number: int, frame: object) -> None:
        _ignore_signals()
        reactor.callFromThread(told_again)

    for number in _ENDING:
        signal.signal(number, again)
    try:
        await stop
    finally:
        _ignore_signals()


def _ignore_signals() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def not_started(failure: Failure) -> StartupError:
    """Return what to say, and to exit with, after the start of a daemon failed."""
    if isinstance(failure.value, StartupError):
        return failure.value
    _log.failure("the start failed", failure=failure)
    return StartupError(f"the start failed: {failure.getErrorMessage()}; the log has the details")


def exit_with(code: int) -> None:
    """Let the process end with ``code`` when it ends, for a program that would say that all went well."""

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    atexit.register(leave)


def settle() -> None:
    """What is loaded by now stays: the garbage collector need not look at it again."""
    gc.freeze()
