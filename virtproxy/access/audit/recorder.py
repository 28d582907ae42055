# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens with each record: it is written at once; or, when that cannot be, it is kept, counted and made good.

The daemon's audit and the stages of all sessions share one. Records come as members of a JSON object ("time" first).
While the file cannot be written ``ready`` says why, so that calls can be refused; ``tick``, once a second, tries again
and begins with a record of the gap. Nothing here waits for anything but write(2).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from virtproxy.access.audit.logfile import RESERVE, LogFile
from virtproxy.access.audit.text import members_of, stamp

# What may wait in memory for a disk to have room again.
KEPT_BYTES = 4 * 1024 * 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a new file is begun: after `size` bytes (0: never), each `daily` at midnight UTC."""

    size: int = 0
    daily: bool = False


class Recorder:
    """Writes records to `log`. `warn` tells people what went wrong, in a sentence; each line also goes to `tees`."""

    def __init__(
        self,
        log: LogFile,
        rotation: Rotation,
        now: Callable[[], float],
        warn: Callable[[str], None],
    ) -> None:
        self.log = log
        self.tees: list[Callable[[bytes], None]] = []
        # Something was written since the last fsync.
        self.dirty = False
        # Files that are done: descriptor and name, for whoever syncs and closes them.
        self.retired: list[tuple[int, str]] = []
        self._rotation = rotation
        self._now = now
        self._warn = warn
        # Why nothing can be written, and why nothing more can be promised.
        self._problem: str | None = None
        self._short: str | None = None
        self._since = 0.0
        self._kept: deque[str] = deque()
        self._kept_bytes = 0
        self._lost = 0
        self._refused = 0
        self._promised = 0
        self._size_max = rotation.size or 2**63
        self._rotation_problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the log cannot be written, or not for long; None if it can."""
        return self._problem or self._short

    # Before a call

    def promise(self, size: int) -> str | None:
        """Have room for a record of `size` bytes that will come; else why there is none. Undone by ``fulfil``."""
        if self._problem is not None or self._short is not None:
            return self._problem or self._short
        try:
            self.log.have_room(self._promised + size)
        except OSError as error:
            # What was promised before can still be written.
            self._short = self._trouble(error.strerror or str(error))
            return self._short
        self._promised += size
        return None

    def fulfil(self, size: int) -> None:
        """The record of a ``promise`` was written, or will not come."""
        self._promised -= size

    def refused(self) -> None:
        """Count a call that was refused because it could not have been recorded."""
        self._refused += 1

    # Records

    def record(self, members: str) -> bool:
        """Write a record; False if it is only kept for later, or lost."""
        if self._problem is None:
            try:
                line = self.log.append(members)
            except OSError as error:
                self.fail(error.strerror or str(error))
            else:
                self._written(line)
                return True
        self._keep(members)
        return False

    def event(self, name: str, *pairs: tuple[str, object]) -> bool:
        """Write a record of something else than a call."""
        return self.record(members_of((("time", stamp(self._now())), ("event", name), *pairs)))

    def _written(self, line: bytes) -> None:
        self.dirty = True
        for tee in self.tees:
            tee(line)
        if self.log.size >= self._size_max:
            self._rotate()

    def _keep(self, members: str) -> None:
        if self._kept_bytes + len(members) > KEPT_BYTES:
            self._lost += 1
            return
        self._kept.append(members)
        self._kept_bytes += len(members)

    def fail(self, why: str) -> None:
        """Write nothing until the next ``tick``: what was written may not last."""
        self._problem = self._trouble(why)

    def _trouble(self, why: str) -> str:
        if self._problem is None and self._short is None:
            self._since = self._now()
            self._warn(f"the audit log {self.log.path} cannot be written: {why}")
        return why

    # Once a second

    def tick(self) -> None:
        """Notice what happened to the file from outside; try again if it could not be written; rotate daily."""
        try:
            retired = self.log.moved()
            if retired is not None:
                self.retired.append(retired)
                self.dirty = True
            if self.problem is not None:
                self._make_good()
        except OSError as error:
            self.fail(error.strerror or str(error))
            return
        if self._rotation.daily and self.log.day and self.log.day != stamp(self._now())[:10]:
            self._rotate()

    def _make_good(self) -> None:
        """The gap first, then what was kept. Raises OSError."""
        self.log.have_room(self._promised + RESERVE)
        gap = (
            ("time", stamp(self._now())),
            ("event", "gap"),
            ("since", stamp(self._since)),
            ("reason", self.problem),
            ("late", len(self._kept)),
            ("lost", self._lost),
            ("refused", self._refused),
        )
        self._written(self.log.append(members_of(gap)))
        self._lost = self._refused = 0
        while self._kept:
            self._written(self.log.append(self._kept[0] + ',"late":true'))
            self._kept_bytes -= len(self._kept.popleft())
        self._problem = self._short = None
        self._warn(f"the audit log {self.log.path} is written again")

    def _rotate(self) -> None:
        try:
            self.retired.append(self.log.rotate())
            self._rotation_problem = None
        except OSError as error:
            # It goes on in the file there is, which is better than not at all.
            why = error.strerror or str(error)
            if why != self._rotation_problem:
                self._warn(f"the audit log {self.log.path} cannot be rotated: {why}")
            self._rotation_problem = why

    def close(self) -> None:
        """Let the file go; what still comes is lost."""
        self._problem = "it is closed"
        for fd, _ in self.retired:
            os.close(fd)
        self.retired.clear()
        self.log.close()
