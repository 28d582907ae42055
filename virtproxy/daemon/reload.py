# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells when files have changed, however they are changed: written over, renamed into place, linked elsewhere.

``certificates`` watches what TLS reads; other files that a daemon takes over while it runs can be watched the same
way. An alarm (inotify) only wakes us up, in every directory on the way to a file; what counts is what the files then
look like, which is also looked at from time to time. It must not read a file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from virtproxy.daemon.reload_inotify import inotify_alarm
from virtproxy.daemon.reload_paths import directories_of, stamp_of
from virtproxy.rpc.reactor import Clock

# Two looks this far apart must agree: files that belong together are rarely replaced at the same moment.
SETTLE_SECONDS = 1.0
# How often to look where an alarm tells of every change; it does not on network file systems.
SLOW_SECONDS = 60.0
# How often where there is none: no inotify, or a directory is missing.
QUICK_SECONDS = 5.0

# Calls a function where it may block, and says later what it returned.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
Wake = Callable[[], None]


class Alarm(Protocol):
    """Wakes a watch up when something changes in a directory; see ``reload_inotify``."""

    alive: bool

    def start(self) -> None: ...
    def close(self) -> None: ...


# Makes an alarm for directories, in a thread; None if one of them cannot be watched.
AlarmMaker = Callable[[Iterable[str], Wake], Alarm | None]


class FileWatch:
    """Awaits ``changed()`` when ``paths`` have changed and come to rest; also once in the beginning.

    The beginning counts as a change because the files may have changed since they were last read.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Clock,
        paths: Iterable[str],
        changed: Callable[[], Coroutine[Any, Any, None]],
        in_thread: InThread,
        make_alarm: AlarmMaker,
    ) -> None:
        self._clock = clock
        self._paths = tuple(paths)
        self._changed = changed
        self._in_thread = in_thread
        self._make_alarm = make_alarm
        self._alarm: Alarm | None = None
        self._watched: frozenset[str] = frozenset()
        # What the files looked like at the last look, and when ``changed`` was last called.
        self._seen: object = None
        self._told: object = None
        self._timer: IDelayedCall | None = None
        self._looking = False
        self._woken = False
        self._stopped = False

    def start(self) -> None:
        """Begin to watch."""
        self._look_in(0)

    def stop(self) -> None:
        """Tell of nothing more."""
        self._stopped = True
        self._cancel()
        if self._alarm is not None:
            self._alarm.close()

    def wake(self) -> None:
        """Something has changed somewhere near: look soon."""
        self._woken = True
        if not self._looking and (
            self._timer is None or self._timer.getTime() > self._clock.seconds() + SETTLE_SECONDS
        ):
            self._look_in(SETTLE_SECONDS)

    def _look_in(self, seconds: float) -> None:
        self._cancel()
        if not self._stopped:
            self._timer = self._clock.callLater(seconds, self._look)

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _look(self) -> None:
        self._timer = None
        self._looking, self._woken = True, False
        looking = Deferred.fromCoroutine(self._compare())
        looking.addErrback(lambda failure: self._log.failure("files could not be looked at", failure=failure))
        looking.addBoth(lambda _: self._looked())

    async def _compare(self) -> None:
        directories, alarm, stamp = await self._in_thread(self._arm_and_stamp)
        self._use(alarm, directories)
        settled = stamp == self._seen or self._told is None
        self._seen = stamp
        if settled and stamp != self._told and not self._stopped:
            self._told = stamp
            await self._changed()

    def _arm_and_stamp(self) -> tuple[frozenset[str], Alarm | None, object]:
        """In a thread. The alarm comes first, so that no change falls between it and the look."""
        directories = frozenset(name for path in self._paths for name in directories_of(path))
        alarm = self._alarm
        if directories != self._watched or alarm is None or not alarm.alive:
            alarm = self._make_alarm(directories, self.wake)
        return directories, alarm, tuple(map(stamp_of, self._paths))

    def _use(self, alarm: Alarm | None, directories: frozenset[str]) -> None:
        if alarm is self._alarm:
            return
        if self._alarm is not None:
            self._alarm.close()
        self._alarm, self._watched = alarm, directories
        if alarm is not None and self._stopped:
            alarm.close()
        elif alarm is not None:
            alarm.start()

    def _looked(self) -> None:
        self._looking = False
        if self._woken or self._seen != self._told:
            self._look_in(SETTLE_SECONDS)
        else:
            self._look_in(QUICK_SECONDS if self._alarm is None else SLOW_SECONDS)


def watch_files(reactor: Any, paths: Iterable[str], changed: Callable[[], Coroutine[Any, Any, None]]) -> FileWatch:
    """Return a watch of ``paths``, to be started, that works on ``reactor``, a whole one."""
    return FileWatch(reactor, paths, changed, in_threads_of(reactor), partial(inotify_alarm, reactor))


def in_threads_of(reactor: Any) -> InThread:
    """Return what calls a function that may block in a thread of ``reactor``, a whole one."""
    return lambda function: deferToThreadPool(reactor, reactor.getThreadPool(), function)
