# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon's life: open everything, say that it is ready, end when told to or when idle, leave nothing behind.

Called by ``run`` and by the twistd plugins; the reactor is running or about to run. It must not parse options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virtproxy import __version__
from virtproxy.daemon.drain import FAREWELL_SECONDS
from virtproxy.daemon.idle import IdleExit
from virtproxy.daemon.notify import Notifier
from virtproxy.daemon.pidfile import PidFile
from virtproxy.daemon.plan import Plan, check_free
from virtproxy.daemon.reload import in_threads_of
from virtproxy.daemon.reread import restart_needed
from virtproxy.daemon.run_dir import make_run_dir
from virtproxy.daemon.service import Service
from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from virtproxy.daemon.log import DaemonLog


class Lifecycle:
    """Carries ``plan`` out; ``finish`` is called when the daemon has been idle for the plan's timeout.

    ``idle`` is told of what else must not be cut off, and holds the timeout, which may change. So may ``log``, the
    daemon's.
    """

    _log = Logger()

    def __init__(
        self,
        plan: Plan,
        reactor: StreamReactor,
        environ: Mapping[str, str],
        finish: Callable[[], None],
        log: DaemonLog | None = None,
    ) -> None:
        self.plan = plan
        self._reactor = reactor
        self._notifier = Notifier(environ, reactor, self._status)
        self._finish = finish
        self.log = log
        self._pid_file = PidFile(plan.pid_file)
        self.idle = IdleExit(reactor, plan.timeout, self._leave)
        self.service: Service | None = None
        self._stopping = False

    def check(self) -> None:
        """Create nothing, and raise StartupError if a daemon lives here already or a socket cannot be had."""
        self._pid_file.check()
        self.plan = check_free(self.plan)

    def open(self) -> None:
        """Take the pid file and listen; afterwards everything is had or nothing is. Raises StartupError."""
        self.check()
        plan = self.plan
        make_run_dir(plan)
        self._pid_file.acquire()
        service = Service(plan, self._reactor, lambda count: self.idle.busy("clients", count), self.log, self)
        try:
            service.drivers.load()
            service.open()
        except BaseException:
            self._pid_file.release()
            raise
        self.service = service

    async def start(self) -> None:
        """Start the drivers, then serve, and tell the log and the service manager.

        Raises StartupError if a driver cannot start: then there is nothing left to do but to stop.
        """
        if self.service is None:
            raise RuntimeError("start() before open()")
        await self.service.drivers.start()
        if self._stopping:
            return
        self.service.start()
        name = self.plan.row.name
        for warning in self.plan.warnings:
            self._log.warn("{warning}", warning=warning)
        for endpoint, address in self.service.addresses:
            transport = getattr(endpoint, "transport", "unix")
            self._log.info("{name} listens on {transport} {address}", name=name, transport=transport, address=address)
        self._log.info("{name} (virtproxy {version}) is ready", name=name, version=__version__)
        self._notifier.ready()
        self.idle.start()

    async def stop(self) -> None:
        """End every client, remove the sockets and the pid file."""
        self._stopping = True
        if self.service is None:
            return
        self._notifier.stopping(self.service.drain.seconds + FAREWELL_SECONDS + self.service.drivers.patience)
        self.idle.stop()
        await self.service.stop()
        self._pid_file.release()
        self._log.info("{name} ends", name=self.plan.row.name)

    def hurry(self) -> None:
        """Told to end while it ends already: wait for nobody."""
        if self.service is not None:
            self._log.info("{name} is told to end again: it ends at once", name=self.plan.row.name)
            self.service.drain.hurry()

    def shut_down(self) -> None:
        """An administrator wants the daemon to end."""
        self._reactor.callLater(0, self._finish)

    def reload_asked(self) -> None:
        """SIGHUP: read again what can be taken over while clients are connected, and say what cannot."""
        if self.log is not None:
            self.log.reopen()
        if self.service is not None and self.service.audit is not None:
            self.service.audit.reload()
        reloading = Deferred.fromCoroutine(self._reload())
        reloading.addErrback(lambda failure: self._log.failure("the reload failed", failure=failure))

    async def _reload(self) -> None:
        settings = self.plan.settings
        with self.idle.working("reloads"), self._notifier.reload():
            if self.service is not None:
                await self.service.reload_tls()
                await self.service.reload_policy()
                await self.service.drivers.reload()
            told = await in_threads_of(self._reactor)(lambda: restart_needed(settings))
        if told is not None:
            self._log.warn("{told}", told=told)
        self._log.info("{name} has reloaded", name=self.plan.row.name)

    def _status(self) -> str:
        """A line about the daemon for whoever looks at its state."""
        count = 0 if self.service is None else len(self.service.clients)
        return f"{count} client{'' if count == 1 else 's'}"

    def _leave(self) -> bool:
        """Be gone for who comes next, unless somebody comes now. The pid file goes in the same moment as the sockets:
        whoever finds nobody may start a daemon at once.
        """
        if self.service is None or self.service.drivers.busy() or not self.service.leave():
            return False
        self._pid_file.release()
        self._finish()
        return True
