# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files at the end of a stream: read ahead of what is sent, and written behind what comes, in threads.

`Stream.send_from` and `Stream.receive_into` use it. Holes of a file are found and made, never read or written.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

from virtproxy.driver.definitions import system_error
from virtproxy.driver.place import Place
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

P = ParamSpec("P")
T = TypeVar("T")
# What one visit of a thread reads: some packets, so that the way to the thread and back costs little.
READ_SIZE = 8 * STREAM_PAYLOAD_MAX
# As much as the kernel takes in one call.
PIECES_MAX = 1000
ZEROS = bytes(1024 * 1024)
_PUNCH = 0x1 | 0x2  # FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE


class Hole(int):
    """A run of zero bytes of this length that is not there as data."""


Segment = bytes | Hole


class _File:
    """A descriptor that threads use: it is closed when it is no more in use, and never under a thread's hands."""

    def __init__(self, where: int | str, flags: int) -> None:
        self._where = where
        self._flags = flags | os.O_CLOEXEC | os.O_NOCTTY
        self._lock = Lock()
        self._in_use = False
        self._closing = False
        self.fd = -1

    def use(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work` in this thread, which has the file to itself; OSError also if it was closed meanwhile."""
        with self._lock:
            if self._closing:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self._in_use = True
        try:
            if self.fd < 0:
                where = self._where
                self.fd = os.open(where, self._flags) if isinstance(where, str) else os.dup(where)
            return work(*args, **kwargs)
        finally:
            with self._lock:
                self._in_use = False
                if self._closing:
                    self._shut()

    def close(self) -> None:
        """Close it, now or when the thread that uses it is done."""
        with self._lock:
            self._closing = True
            if not self._in_use:
                self._shut()

    def _shut(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


async def read_segments(
    place: Place, source: int | str, offset: int, length: int | None, *, holes: bool
) -> AsyncIterator[Segment]:
    """Yield the file's content piece by piece; the next piece is being read while one is in use."""
    reader = _Reader(source, offset, length, holes)
    following = Deferred.fromCoroutine(place.blocking(reader.use, reader.next))
    try:
        while True:
            segment = await following
            if not isinstance(segment, Hole) and not segment:
                return
            following = Deferred.fromCoroutine(place.blocking(reader.use, reader.next))
            yield segment
    except OSError as error:
        raise system_error(error, "cannot read from stream") from None
    finally:
        following.addErrback(lambda failure: None)
        reader.close()


class _Reader(_File):
    """The reading end, in threads; one visit at a time."""

    def __init__(self, source: int | str, offset: int, length: int | None, holes: bool) -> None:
        super().__init__(source, os.O_RDONLY)
        self._offset = offset
        self._end = None if length is None else offset + length
        self._holes = holes
        # Up to where it is known that there is data.
        self._data_end = 0

    def next(self) -> Segment:
        """The next piece; empty at the end."""
        if self._holes and self._offset >= self._data_end:
            hole = self._hole()
            if hole:
                self._offset += hole
                return Hole(hole)
        size = READ_SIZE
        if self._holes:
            size = min(size, self._data_end - self._offset)
        if self._end is not None:
            size = min(size, self._end - self._offset)
        data = os.pread(self.fd, max(size, 0), self._offset)
        self._offset += len(data)
        return data

    def _hole(self) -> int:
        """How long the hole is that begins here; what follows it is data up to `_data_end`."""
        size = os.lseek(self.fd, 0, os.SEEK_END)
        end = size if self._end is None else min(size, self._end)
        if self._offset >= end:
            self._data_end = self._offset
            return 0
        try:
            data = min(os.lseek(self.fd, self._offset, os.SEEK_DATA), end)
            self._data_end = min(os.lseek(self.fd, data, os.SEEK_HOLE), end) if data < end else end
        except OSError as error:
            if error.errno == errno.ENXIO:
                return end - self._offset
            # A device or an old file system: everything is data.
            data, self._data_end = self._offset, end
        return data - self._offset


class Target(_File):
    """The writing end, an async context: `position` is where the next byte goes."""

    def __init__(self, place: Place, sink: int | str, offset: int, length: int | None) -> None:
        super().__init__(sink, os.O_WRONLY)
        self.position = offset
        self._place = place
        self._end = None if length is None else offset + length
        self._is_file = True

    async def __aenter__(self) -> Target:
        try:
            self._is_file = await self._place.blocking(self.use, lambda: stat.S_ISREG(os.fstat(self.fd).st_mode))
        except OSError as error:
            raise system_error(error, f"Unable to open stream for '{self._where}'") from None
        return self

    async def __aexit__(self, *failure: Any) -> None:
        self.close()

    async def write(self, items: Sequence[Segment]) -> None:
        """Write the pieces where the last ended. VirtError SYSTEM_ERROR."""
        try:
            await self._place.blocking(self.use, self._write_all, items)
        except OSError as error:
            raise system_error(error, "cannot write to stream") from None

    def _write_all(self, items: Sequence[Segment]) -> None:
        run: list[bytes] = []
        for item in items:
            if isinstance(item, Hole):
                self._write_run(run)
                run = []
                self._make_hole(item)
            else:
                run.append(item)
        self._write_run(run)

    def _write_run(self, run: Sequence[bytes]) -> None:
        pieces = [memoryview(piece) for piece in run]
        self._check_room(sum(map(len, pieces)))
        while pieces:
            written = os.pwritev(self.fd, pieces[:PIECES_MAX], self.position)
            self.position += written
            while pieces and written >= len(pieces[0]):
                written -= len(pieces.pop(0))
            if written:
                pieces[0] = pieces[0][written:]

    def _make_hole(self, length: int) -> None:
        """Let the next `length` bytes be zero, without blocks where the file system can."""
        self._check_room(length)
        if not self._is_file:
            while length > 0:
                written = os.pwrite(self.fd, memoryview(ZEROS)[:length], self.position)
                self.position += written
                length -= written
            return
        size = os.fstat(self.fd).st_size
        end = self.position + length
        if self.position < size:
            self._punch(min(end, size) - self.position)
        self.position = end
        if end > size:
            os.ftruncate(self.fd, end)

    def _punch(self, length: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        where, size = ctypes.c_int64(self.position), ctypes.c_int64(length)
        if libc.fallocate64(self.fd, _PUNCH, where, size) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise OSError(number, os.strerror(number))
        done = 0
        while done < length:
            done += os.pwrite(self.fd, memoryview(ZEROS)[: length - done], self.position + done)

    def _check_room(self, length: int) -> None:
        if self._end is not None and self.position + length > self._end:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
