# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a daemon as a program of its own: options, checks, background, reactor, exit code.

Called by the console scripts. An error at start-up is one message on stderr and an exit code of libvirt's,
never a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.python.failure import Failure

from virtproxy.daemon.drivers import GROUP, row_of
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.daemon.options import DaemonOptions, options_for
from virtproxy.daemon.plan import Plan, make_plan
from virtproxy.daemon.predecessor import wait_for_predecessor
from virtproxy.daemon.process import allow_files, end, not_started, on_hangup, settle
from virtproxy.daemon.reactors import VARIABLE, check_name

if TYPE_CHECKING:
    from virtproxy.daemon.background import Starter


def main(name: str, arguments: Sequence[str]) -> int:
    """Run the daemon ``name`` until it ends; return its exit code."""
    row = row_of(name)
    if row is None:
        print(f"{name}: no installed package brings a driver for it ({GROUP})", file=sys.stderr)
        return ExitCode.DRIVER
    options = options_for(row)()
    parse: Callable[[list[str]], None] = options.parseOptions
    try:
        parse(list(arguments))
        return _run(options)
    except usage.UsageError as error:
        print(f"{name}: {error}\nTry '{name} --help'.", file=sys.stderr)
        return ExitCode.CONFIGURATION
    except StartupError as error:
        print(f"{name}: {error.message}", file=sys.stderr)
        return error.exit_code


def _run(options: DaemonOptions) -> int:
    reactor_name = os.environ.get(VARIABLE) or "default"
    check_name(reactor_name)
    if options.check_config:
        from virtproxy.daemon.check_config import check_config

        return check_config(options, os.environ, os.geteuid())
    plan = make_plan(options, os.environ, os.geteuid())
    wait_for_predecessor(plan)
    if not options.background:
        return _Program(plan, reactor_name, None).run()
    from virtproxy.daemon.background import in_background

    in_background(lambda starter: _Program(plan, reactor_name, starter).run())
    return ExitCode.NONE


class _Program:
    """One run of a daemon; ``starter`` waits for one in the background."""

    def __init__(self, plan: Plan, reactor_name: str, starter: Starter | None) -> None:
        self._plan = plan
        self._reactor_name = reactor_name
        self._starter = starter
        self._error: StartupError | None = None

    def run(self) -> int:
        """Run until the daemon ends and return the exit code. Raises StartupError in the foreground."""
        try:
            self._run_reactor()
            if self._error is not None:
                raise self._error
        except StartupError as error:
            if self._starter is None:
                raise
            self._starter.failed(error)
            return error.exit_code
        return ExitCode.NONE

    def _run_reactor(self) -> None:
        from virtproxy.daemon.lifecycle import Lifecycle
        from virtproxy.daemon.log import start_logging
        from virtproxy.daemon.reactors import install

        plan = self._plan
        self._reactor = install(self._reactor_name)
        log = start_logging(plan.log, plan.row.name, plan.places.log_dir, background=self._starter is not None)
        allow_files()
        self._lifecycle = Lifecycle(plan, self._reactor, os.environ, self._reactor.stop, log)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        self._reactor.callWhenRunning(self._start)
        self._reactor.run()

    def _start(self) -> None:
        """Open and serve once signals are caught, so that whatever happens the files are removed."""
        try:
            self._lifecycle.open()
        except StartupError as error:
            self._error = error
            self._reactor.stop()
            return
        on_hangup(self._reactor, self._lifecycle.reload_asked)
        Deferred.fromCoroutine(self._lifecycle.start()).addCallbacks(self._started, self._failed)

    def _started(self, _: None) -> None:
        if self._starter is not None:
            self._starter.ready()
        settle()

    def _failed(self, failure: Failure) -> None:
        self._error = not_started(failure)
        self._reactor.stop()

    def _stop(self) -> Deferred[None]:
        ending = end(self._reactor, self._lifecycle.stop(), self._lifecycle.hurry)
        return Deferred.fromCoroutine(ending)
