# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the file of an audit log: whole lines, one writer, the chain carried on over restarts and rotations.

``recorder`` owns one. Every method that writes raises OSError when it cannot, and leaves the chain as it was: a line
is in the file to its last byte or it does not count. What is found behind the last whole line (a daemon was killed, a
disk was full) stays where it is, and the next line says how much that is and its digest.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable

from virtproxy.access.audit import files
from virtproxy.access.audit.chain import START, Seal, entry_of
from virtproxy.access.audit.reserve import give_back, reserve
from virtproxy.access.audit.text import members_of, stamp

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
# Space is had in pieces of this size.
RESERVE = 256 * 1024


class NotALog(Exception):
    """The file is something else, or somebody else's; the text is a sentence."""


class LogFile:
    """The log at `path`. `group` is the numeric group that may read it, None for nobody; `now` tells the time."""

    def __init__(self, path: str, seal: Seal, now: Callable[[], float], group: int | None = None) -> None:
        self.path = path
        self.sequence = 0
        self.link = START
        # Where the last whole line ends.
        self.size = 0
        # What the last line found at the start recorded; "" if there was none.
        self.last_event = ""
        # The day of its first line, as the time stamp has it.
        self.day = ""
        self._seal = seal
        self._now = now
        self._group = group
        self._fd = -1
        self._lock = -1
        self._torn = False
        self._reserved = 0
        self._reserves = True

    # Opening and closing

    def open(self) -> None:
        """Take the file, find the end of the chain, write down what is wrong with it. Raises OSError, NotALog."""
        self._take_lock()
        try:
            self._settle_rotation()
            self._begin(self._opened(self.path))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let it go."""
        if self._fd >= 0:
            give_back(self._fd)
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1

    def _take_lock(self) -> None:
        self._lock = os.open(self.path + files.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise NotALog(f"another process writes the audit log {self.path}") from None

    def _opened(self, path: str, flags: int = 0) -> int:
        fd = os.open(path, _FLAGS | flags, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise NotALog(f"the audit log {path} is not a file")
            if self._group is not None:
                os.fchown(fd, -1, self._group)
            os.fchmod(fd, 0o600 if self._group is None else 0o640)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _settle_rotation(self) -> None:
        """Finish a rotation that was cut short between its two renames; forget one that had not come so far."""
        new = self.path + files.NEW
        if os.path.lexists(new):
            if os.path.lexists(self.path):
                os.unlink(new)
            else:
                os.rename(new, self.path)

    def _begin(self, fd: int) -> None:
        self._fd = fd
        last, end = files.last_entry(self.path)
        size = os.fstat(fd).st_size
        if last is None and size and not self._looks_torn():
            raise NotALog(f"{self.path} exists and is not an audit log: move it away, or set another audit_file")
        came_from = None if last is not None else self._last_rotated()
        if last is not None:
            first = files.first_entry(self.path)
            self.day = "" if first is None else str(first.members.get("time"))[:10]
            link = self._seal.link(last.raw)
            if link is None:
                raise NotALog(
                    f"the last line of {self.path} was not made with this audit_key_file: use its key, or move it away"
                )
            self.sequence, self.link, self.last_event, self.size = last.number, link, last.event, end
        self._torn = size > self.size
        self._reserved = size
        if came_from is not None:
            self._append_continued(came_from)

    def _looks_torn(self) -> bool:
        """Whether what there is can be the beginning of a first line that never was finished."""
        beginning = os.pread(self._fd, 9, 0)
        return b'{"prev":"'.startswith(beginning) or not beginning.strip(b"\0")

    def _last_rotated(self) -> str | None:
        """Carry the chain on from the newest of the files that were rotated away; its name."""
        newest = None
        for path in files.family(self.path):
            last = files.last_entry(path)[0]
            if last is not None and last.number > self.sequence:
                link = self._seal.link(last.raw)
                if link is None:
                    raise NotALog(f"the last line of {path} was not made with this audit_key_file")
                newest = os.path.basename(path)
                self.sequence, self.link, self.last_event = last.number, link, last.event
        return newest

    # Writing

    def append(self, members: str) -> bytes:
        """Write one line with these members; the line. Raises OSError."""
        if self._torn:
            self._mend()
        line, link = self._seal.line(self.link, self.sequence + 1, members)
        self._write(line)
        self.sequence += 1
        self.link = link
        self.size += len(line)
        return line

    def _write(self, line: bytes) -> None:
        done = 0
        try:
            done = os.write(self._fd, line)
            while done < len(line):
                done += os.write(self._fd, line[done:])
        except OSError:
            if done:
                self._take_back()
            raise

    def _take_back(self) -> None:
        """A piece of a line was written: remove it, or remember that it is there."""
        try:
            os.ftruncate(self._fd, self.size)
        except OSError:
            self._torn = True

    def _mend(self) -> None:
        """Say in a line of its own what lies behind the last whole line; a line that only lacks its end gets it."""
        if self._adopted():
            return
        length, digest, whole = self._rest()
        members = members_of((("time", stamp(self._now())), ("event", "torn"), ("bytes", length), ("sha256", digest)))
        line, link = self._seal.line(self.link, self.sequence + 1, members)
        newline = b"" if whole else b"\n"
        if os.write(self._fd, newline + line) != len(newline + line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = False
        self.sequence += 1
        self.link = link
        self.size += length + len(newline + line)

    def _adopted(self) -> bool:
        length = os.fstat(self._fd).st_size - self.size
        raw = os.pread(self._fd, length, self.size) if length < files.LINE_MAX else b""
        entry = entry_of(raw)
        if b"\n" in raw or entry is None or (entry.number, entry.prev) != (self.sequence + 1, self.link):
            return False
        link = self._seal.link(raw)
        if link is None:
            return False
        os.write(self._fd, b"\n")
        self.sequence, self.link, self.size, self._torn = entry.number, link, self.size + length + 1, False
        return True

    def _rest(self) -> tuple[int, str, bool]:
        """The size and digest of what lies behind the last whole line, and whether it ends a line."""
        digest, offset, last = hashlib.sha256(), self.size, b"\n"
        while piece := os.pread(self._fd, 1024 * 1024, offset):
            digest.update(piece)
            offset += len(piece)
            last = piece[-1:]
        return offset - self.size, digest.hexdigest(), last == b"\n"

    def have_room(self, wanted: int) -> None:
        """See to it that `wanted` bytes more can be written. Raises OSError, most likely because the disk is full."""
        if self.size + wanted > self._reserved and self._reserves:
            length = -(-wanted // RESERVE) * RESERVE
            self._reserves = reserve(self._fd, self.size, length)
            self._reserved = self.size + length

    # Other files

    def rotate(self) -> tuple[int, str]:
        """Begin a new file; the descriptor of the old one, which is the caller's to close, and its new name.

        The new file's first line is written before the names change, and nothing is in between: whenever this is
        cut short, every line is in one of the files. Raises OSError; the old file is then still the one in use.
        """
        new, old_fd, target = self.path + files.NEW, self._fd, files.rotated_name(self.path, self.sequence)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        before = self._state()
        try:
            self._switch(self._opened(new, os.O_EXCL))
            self._append_continued(os.path.basename(target))
            os.rename(self.path, target)
            self._rename_new(new, target)
        except OSError:
            self._go_back(before, new)
            raise
        return old_fd, target

    def _rename_new(self, new: str, target: str) -> None:
        try:
            os.rename(new, self.path)
        except OSError:
            os.rename(target, self.path)
            raise

    def _state(self) -> tuple[int, int, str, int, bool, int]:
        return self._fd, self.sequence, self.link, self.size, self._torn, self._reserved

    def _go_back(self, before: tuple[int, int, str, int, bool, int], new: str) -> None:
        if self._fd != before[0]:
            os.close(self._fd)
            os.unlink(new)
        self._fd, self.sequence, self.link, self.size, self._torn, self._reserved = before

    def _switch(self, fd: int) -> None:
        self._fd, self.size, self._reserved, self._torn = fd, 0, 0, False

    def _append_continued(self, name: str | None) -> None:
        now = stamp(self._now())
        self.day = now[:10]
        self.append(members_of((("time", now), ("event", "continued"), ("from", name or "?"), ("last", self.sequence))))

    def moved(self) -> tuple[int, str] | None:
        """Begin a new file if somebody renamed or removed ours; the old descriptor and name, as ``rotate``.

        Also notices what somebody else wrote or cut off. Raises OSError.
        """
        ours = os.fstat(self._fd)
        if ours.st_size > self.size:
            self._torn = True
        elif ours.st_size < self.size:
            self._cut_short(self.size - ours.st_size, ours.st_size)
        try:
            there = os.stat(self.path, follow_symlinks=False)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return None
            if there.st_size:
                raise FileExistsError(errno.EEXIST, f"something else is at {self.path} now")
        except FileNotFoundError:
            pass
        return self._begin_again(ours)

    def _begin_again(self, ours: os.stat_result) -> tuple[int, str]:
        name = next((p for p in files.family(self.path) if _inode(p) == (ours.st_dev, ours.st_ino)), "")
        before = self._state()
        try:
            self._switch(self._opened(self.path))
            self._append_continued(os.path.basename(name))
        except OSError:
            self._go_back(before, self.path)
            raise
        return before[0], name

    def _cut_short(self, lost: int, size: int) -> None:
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            size += os.write(self._fd, b"\n")
        self.size = size
        self._reserved = 0
        self.append(members_of((("time", stamp(self._now())), ("event", "truncated"), ("bytes", lost))))

    def descriptor(self) -> int:
        """A duplicate of the file's descriptor, for whoever calls fsync in a thread; to be closed there."""
        return os.dup(self._fd)


def _inode(path: str) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = os.stat(path, follow_symlinks=False)
        return found.st_dev, found.st_ino
    return None
