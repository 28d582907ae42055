# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon's audit: opens the log before anybody is served, keeps it synced and rotated, closes it last.

``service`` has one. Records come from the sessions' stages and, about the daemon itself, from here. What may take
long (fsync, compressing) is done in a thread, one thing after the other; write(2) to the log is not.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from virtproxy import __version__, errors
from virtproxy.access.audit import files
from virtproxy.access.audit.chain import Seal
from virtproxy.access.audit.logfile import LogFile, NotALog
from virtproxy.access.audit.recorder import Recorder, Rotation
from virtproxy.access.audit.reserve import give_back
from virtproxy.daemon.audit_admin import is_recorded, record_of
from virtproxy.daemon.audit_journal import Anchors, JournalTee
from virtproxy.daemon.audit_settings import AuditSettings
from virtproxy.daemon.failure import ExitCode, StartupError, reason
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.audit import AuditRules, AuditStage
from virtproxy.routing.session import Session
from virtproxy.routing.stages import StageMaker

TICK_SECONDS = 1.0


class AuditLog:
    """The audit of one daemon, called ``daemon`` in its records; ``reactor`` is a whole one, with threads."""

    _log = Logger()

    def __init__(self, settings: AuditSettings, daemon: str, reactor: Any) -> None:
        self._settings = settings
        self._daemon = daemon
        self._reactor = reactor
        log = LogFile(settings.path, Seal(settings.key), reactor.seconds, settings.group)
        rotation = Rotation(settings.rotate_size, settings.rotate_daily)
        self.recorder = Recorder(log, rotation, reactor.seconds, self._warn)
        self._rules = AuditRules(
            daemon=daemon,
            recorded=settings.recorded,
            refuse=settings.refuse,
            whole=settings.whole,
            synced=self._synced if settings.sync == "always" else None,
        )
        self._anchors = Anchors(daemon) if settings.anchor_seconds else None
        self._journal: JournalTee | None = None
        self._next_anchor = 0.0
        self._tick: Any = None
        self._working: Deferred[Any] | None = None
        self._waiting: list[Deferred[None]] = []

    @property
    def stages(self) -> tuple[StageMaker, ...]:
        """What each session puts before its other stages."""
        return () if self._settings.recorded == "none" else (self._stage,)

    def _stage(self, session: Session) -> AuditStage:
        return AuditStage(session, self._rules, self.recorder)

    # The daemon's life

    def open(self) -> None:
        """Open the log and write its first record. Raises StartupError with what to do."""
        path = self._settings.path
        try:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            self.recorder.log.open()
            self.recorder.log.have_room(65536)
        except NotALog as error:
            raise StartupError(str(error), ExitCode.AUDIT) from None
        except OSError as error:
            self.recorder.close()
            raise StartupError(f"the audit log {path} cannot be opened: {reason(error)}", ExitCode.AUDIT) from None
        self._add_tees()
        self._begin()

    def _begin(self) -> None:
        clean = self.recorder.log.last_event in ("stop", "")
        more = (
            ("pid", os.getpid()),
            ("daemon", self._daemon),
            ("version", __version__),
            ("record", self._rules.recorded),
        )
        written = self.recorder.event("start", *more, ("clean", clean))
        if not written and self._settings.refuse:
            self.recorder.close()
            problem = f"the audit log {self._settings.path} cannot be written: {self.recorder.problem}"
            raise StartupError(problem, ExitCode.AUDIT)
        self._tick = self._reactor.callLater(TICK_SECONDS, self._ticked)

    def _add_tees(self) -> None:
        if self._settings.journal:
            self._journal = JournalTee(self._daemon, self._warn)
            self.recorder.tees.append(self._journal)
        if self._settings.logging:
            self.recorder.tees.append(lambda line: self._log.info("{line}", line=line[:-1].decode()))

    def rules_changed(self) -> None:
        """Another policy is in force from now on."""
        self.recorder.event("rules", ("daemon", self._daemon))

    def turned_away(self, number: int | None, transport: str, peer: str, why: str, certificate: str | None) -> None:
        """A client did not become one: it had no valid certificate, or there were too many."""
        if self._settings.recorded != "none":
            where = (
                ("client", number),
                ("transport", transport),
                ("address", peer or None),
                ("certificate", certificate),
            )
            self.recorder.event("refused", *where, ("decision", "denied"), ("reason", why))

    def administered(
        self, number: int, who: Identity, procedure: Procedure[Any, Any], args: Any, error: VirtError | None
    ) -> None:
        """An administrator made a call; `error` is what it was answered with, None if it was done."""
        if self._settings.recorded != "none" and is_recorded(procedure):
            self.recorder.event("admin", *record_of(number, who, procedure, args, error))

    def reload(self) -> None:
        """The administrator asked for it, perhaps after renaming the file."""
        self.recorder.tick()
        self.recorder.event("reload", ("daemon", self._daemon))
        self._work()

    async def close(self) -> None:
        """Record the end, have everything on the disk, let the file go."""
        if self._tick is not None and self._tick.active():
            self._tick.cancel()
        self.recorder.tick()
        self.recorder.event("stop", ("daemon", self._daemon))
        self._anchor()
        while self._working is not None or self.recorder.dirty:
            self._work()
            if self._working is None:
                break
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            with contextlib.suppress(VirtError):  # the log has been told
                await waiting
        self._let_go()

    def abandon(self) -> None:
        """The daemon could not start after all."""
        if self._tick is not None and self._tick.active():
            self._tick.cancel()
        self.recorder.event("stop", ("daemon", self._daemon))
        self._let_go()

    def _let_go(self) -> None:
        self.recorder.close()
        for copy in (self._journal, self._anchors):
            if copy is not None:
                copy.close()

    # Once a second

    def _ticked(self) -> None:
        self._tick = self._reactor.callLater(TICK_SECONDS, self._ticked)
        self.recorder.tick()
        if self._anchors is not None and self._reactor.seconds() >= self._next_anchor:
            self._anchor()
        if self._settings.sync != "none" or self.recorder.retired:
            self._work()

    def _anchor(self) -> None:
        """Leave the chain's end with the system's log, where whoever changes our file cannot follow."""
        if self._anchors is not None:
            self._next_anchor = self._reactor.seconds() + self._settings.anchor_seconds
            self._anchors.leave(self.recorder.log.sequence, self.recorder.log.link)

    # What is done in a thread

    async def _synced(self) -> None:
        """End when what was recorded up to now is on the disk."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        self._work()
        await waiting

    def _work(self) -> None:
        """Sync what is new and finish the files that were rotated away, unless that is going on."""
        if self._working is not None or not (self.recorder.dirty or self.recorder.retired):
            self._nothing_to_do()
            return
        waiting, self._waiting = self._waiting, []
        retired, self.recorder.retired = self.recorder.retired, []
        self.recorder.dirty = False
        try:
            current = self.recorder.log.descriptor()
        except OSError as error:
            self.recorder.fail(reason(error))
            return
        pool: Any = self._reactor.getThreadPool()
        work: Any = self._in_thread
        self._working = deferToThreadPool(self._reactor, pool, work, current, retired)
        self._working.addBoth(self._worked, waiting)

    def _nothing_to_do(self) -> None:
        if self._working is None:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.callback(None)

    def _in_thread(self, current: int, retired: list[tuple[int, str]]) -> list[str]:
        """Make everything last; the names of old files that were removed. Raises OSError."""
        try:
            for fd, _ in retired:
                give_back(fd)
                os.fsync(fd)
            os.fsync(current)
        finally:
            for fd in (current, *(fd for fd, _ in retired)):
                os.close(fd)
        removed: list[str] = []
        if retired:
            files.sync_directory(self._settings.path)
            for _, name in retired:
                if self._settings.compress and name in files.rotated(self._settings.path):
                    files.compress(name)
            removed = files.prune(self._settings.path, self._settings.keep)
        return removed

    def _worked(self, result: Any, waiting: list[Deferred[None]]) -> None:
        self._working = None
        problem = None
        if isinstance(result, Failure):
            error = result.value
            problem = reason(error) if isinstance(error, OSError) else str(error)
            self.recorder.fail(problem)
        elif result:
            self.recorder.event("removed", ("files", result))
        for one in waiting:
            if problem is None:
                one.callback(None)
            else:
                one.errback(errors.internal(problem))
        if self._waiting:
            self._work()

    def _warn(self, text: str) -> None:
        self._log.warn("{text}", text=text)
