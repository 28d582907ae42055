# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon sets up of its process once it is to serve: descriptors, signals, memory.

Called by ``run`` and by the twistd service. A library that embeds a daemon's parts must not call it: it changes
the whole process.
"""

from __future__ import annotations

import gc
import resource
import signal
from collections.abc import Callable

from virtproxy.daemon.reactors import ProgramReactor

# Each client needs descriptors for itself and its backends; libvirt's units ask for as many.
_FILES_MAX = 524288


def allow_files() -> None:
    """Use as many file descriptors as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def on_hangup(reactor: ProgramReactor, hung_up: Callable[[], None]) -> None:
    """Call ``hung_up`` in the reactor's turn at each SIGHUP, which would end the process otherwise."""
    signal.signal(signal.SIGHUP, lambda number, frame: reactor.callFromThread(hung_up))


def ignore_further_signals() -> None:
    """The daemon ends, which is soon done, and cannot be told to end twice."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def settle() -> None:
    """What is loaded by now stays: the garbage collector need not look at it again."""
    gc.freeze()
