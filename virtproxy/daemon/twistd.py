# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons as twistd plugins: ``twistd -n virtproxyd -f FILE``.

The files in twisted/plugins make one ``DaemonMaker`` each, and so do those of packages that bring a driver. Under
twistd its options choose the reactor, the log and the background. It must load nothing of the daemon until it is run:
twistd loads every plugin.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from twisted.application.service import IService, IServiceMaker, Service
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from virtproxy.daemon.failure import StartupError
    from virtproxy.daemon.lifecycle import Lifecycle
    from virtproxy.daemon.options import DaemonOptions
    from virtproxy.daemon.reactors import ProgramReactor


@implementer(IPlugin, IServiceMaker)
class DaemonMaker:
    """Makes the twistd service of the daemon ``tapname``."""

    def __init__(self, tapname: str) -> None:
        self.tapname = tapname
        self.description = f"virtproxy's {tapname}"

    @property
    def options(self) -> type[DaemonOptions]:
        """The class of its command-line options."""
        from virtproxy.daemon.drivers import row_of
        from virtproxy.daemon.options import options_for

        row = row_of(self.tapname)
        if row is None:
            raise LookupError(f"no installed package brings a driver for {self.tapname}")
        return options_for(row)

    def makeService(self, options: DaemonOptions) -> IService:
        """Return the daemon, checked but not opened. Exits with a message if it could not start."""
        from virtproxy.daemon.failure import StartupError
        from virtproxy.daemon.lifecycle import Lifecycle
        from virtproxy.daemon.log import add_logging
        from virtproxy.daemon.plan import make_plan
        from virtproxy.daemon.predecessor import wait_for_predecessor
        from virtproxy.daemon.reactors import installed

        if options.background:
            _exit(StartupError("twistd runs in the background by itself, unless it gets -n: leave --daemon out"))
        if options.check_config:
            from virtproxy.daemon.check_config import check_config

            sys.exit(check_config(options, os.environ, os.geteuid()))
        try:
            reactor = installed()
            plan = make_plan(options, os.environ, os.geteuid())
            wait_for_predecessor(plan)
            log = add_logging(plan.log, plan.row.name)
            lifecycle = Lifecycle(plan, reactor, os.environ, reactor.stop, log)
            lifecycle.check()
            return DaemonService(lifecycle, reactor)
        except StartupError as error:
            _exit(error)


class DaemonService(Service):
    """A daemon between twistd and its lifecycle."""

    def __init__(self, lifecycle: Lifecycle, reactor: ProgramReactor) -> None:
        self._lifecycle = lifecycle
        self._reactor = reactor

    def privilegedStartService(self) -> None:
        """Take the pid file and the sockets."""
        from virtproxy.daemon.failure import StartupError

        try:
            self._lifecycle.open()
        except StartupError as error:
            _exit(error)

    def startService(self) -> None:
        """Serve."""
        from twisted.internet.defer import Deferred

        from virtproxy.daemon.process import allow_files, on_hangup, settle

        self.running = True
        allow_files()
        on_hangup(self._reactor, self._lifecycle.reload_asked)
        starting = Deferred.fromCoroutine(self._lifecycle.start())
        starting.addCallbacks(lambda _: settle(), self._failed)

    def _failed(self, failure: Failure) -> None:
        """Say why it did not start, and end twistd, which may run already."""
        from virtproxy.daemon.process import exit_with, not_started

        error = not_started(failure)
        print(error.message, file=sys.stderr)
        exit_with(int(error.exit_code))
        self._reactor.callWhenRunning(self._reactor.stop)

    def stopService(self) -> Deferred[None]:
        """End in order."""
        from twisted.internet.defer import Deferred

        from virtproxy.daemon.process import end

        self.running = False
        return Deferred.fromCoroutine(end(self._reactor, self._lifecycle.stop(), self._lifecycle.hurry))


def _exit(error: StartupError) -> NoReturn:
    """End twistd with a message in place of the traceback it would print."""
    print(error.message, file=sys.stderr)
    sys.exit(int(error.exit_code))
