# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chooses the event loop of a console script: Twisted's default for the platform, or the one that was asked for.

Called by ``run`` before anything imports a reactor; ``twistd`` has --reactor for this.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Protocol, cast

from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.rpc.reactor import StreamReactor

# The environment variable that names the reactor.
VARIABLE = "VIRTPROXY_REACTOR"
NAMES = ("default", "asyncio", "epoll", "poll", "select")


class ProgramReactor(StreamReactor, Protocol):
    """What a program needs of a reactor; every Twisted reactor on Linux has it."""

    def run(self) -> None: ...
    def stop(self) -> None: ...
    def callWhenRunning(self, function: Callable[[], object], /) -> object: ...
    def callFromThread(self, function: Callable[[], object], /) -> object: ...
    def addSystemEventTrigger(self, phase: str, event: str, function: Callable[[], object], /) -> object: ...


def check_name(name: str) -> None:
    """Raise StartupError unless ``name`` is one of NAMES."""
    if name not in NAMES:
        expected = ", ".join(NAMES)
        problem = f'environment variable {VARIABLE}: expected one of {expected}, not "{name}"'
        raise StartupError(problem, ExitCode.CONFIGURATION)


def install(name: str) -> ProgramReactor:
    """Install the reactor ``name``, one of NAMES, and return it. None may be installed yet."""
    if name == "asyncio":
        _install_asyncio()
    elif name != "default":
        import_module(f"twisted.internet.{name}reactor").install()
    return installed()


def installed() -> ProgramReactor:
    """Return the reactor that is installed; the default one becomes it if there is none."""
    return cast(ProgramReactor, import_module("twisted.internet.reactor"))


def _install_asyncio() -> None:
    import asyncio

    from twisted.internet import asyncioreactor

    # Futures would hang on another loop than the reactor's.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
