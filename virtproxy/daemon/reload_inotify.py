# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wakes a watch of files up when something changes in a directory, by inotify where the system has it.

``reload`` makes an alarm in a thread and uses it in the reactor's. It must not decide what a change means.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from twisted.python.filepath import FilePath


def inotify_alarm(reactor: Any, directories: Iterable[str], wake: Callable[[], None]) -> INotifyAlarm | None:
    """Return an alarm that calls ``wake`` for changes in ``directories``; None if one of them cannot be watched.

    May be called in a thread; the alarm rings after its ``start``.
    """
    try:
        return INotifyAlarm(reactor, directories, wake)
    except Exception:  # there is no inotify, too many watches, no such directory: then the watch looks by itself
        return None


class INotifyAlarm:
    """An alarm by inotify. Once one of its directories is deleted it is not ``alive``, and another must be made."""

    def __init__(self, reactor: Any, directories: Iterable[str], wake: Callable[[], None]) -> None:
        """Watch all of ``directories``; whatever is raised means that it cannot be."""
        from twisted.internet import inotify

        self.alive = True
        self._wake = wake
        self._gone = inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF | inotify.IN_UNMOUNT | inotify.IN_Q_OVERFLOW
        mask = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_MOVED | inotify.IN_CLOSE_WRITE | inotify.IN_ATTRIB
        self._notifier = inotify.INotify(reactor)
        try:
            for directory in directories:
                path = FilePath(os.fsencode(directory))
                self._notifier.watch(path, mask=mask | inotify.IN_MOVE_SELF, callbacks=[self._told])
        except BaseException:
            os.close(self._notifier.fileno())
            raise

    def start(self) -> None:
        """Ring from now on, and for what happened since it was made."""
        self._notifier.startReading()

    def close(self) -> None:
        """Ring no more."""
        self.alive = False
        self._wake = _nobody
        # Twisted has done it already where a directory was deleted.
        if self._notifier.connected:
            self._notifier.loseConnection()

    def _told(self, watch: object, path: object, mask: int) -> None:
        if mask & self._gone:
            self.alive = False
        self._wake()


def _nobody() -> None:
    """Whom a closed alarm wakes."""
