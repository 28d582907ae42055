# SPDX-License-Identifier: LGPL-2.1-or-later
"""The pid file: locked while the daemon lives, so that a second one sees the first.

Called by ``service``. The lock is fcntl's, on the whole file, as libvirt takes it: a C daemon and one of ours
keep each other out. It must not leave the file behind when it ends in order.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

from virtproxy.daemon.failure import ExitCode, StartupError, reason

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


class PidFileError(StartupError):
    """The pid file cannot be had, mostly because a daemon lives."""

    exit_code = ExitCode.PIDFILE


class PidFile:
    """A pid file at ``path``; holds nothing until ``acquire``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def check(self) -> None:
        """Raise PidFileError if a live daemon holds the file; create nothing."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return  # absent, or unreadable: then acquire() says why
        try:
            self._refuse_if_held(fd)
        finally:
            os.close(fd)

    def acquire(self) -> None:
        """Create or take over the file, lock it and write this process' id. Raises PidFileError."""
        while True:
            try:
                fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise PidFileError(f"cannot write the pid file {self.path}: {reason(error)}") from None
            try:
                if self._lock(fd):
                    os.ftruncate(fd, 0)
                    os.write(fd, f"{os.getpid()}\n".encode())
                    self._fd = fd
                    return
            finally:
                if self._fd != fd:
                    os.close(fd)

    def _lock(self, fd: int) -> bool:
        """Lock ``fd``; False if the file was removed before the lock was had, so another must be opened."""
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._refuse_if_held(fd)
            raise PidFileError(f"cannot lock the pid file {self.path}") from None
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _refuse_if_held(self, fd: int) -> None:
        held = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)))
        kind, pid = held[0], held[4]
        if kind != fcntl.F_UNLCK:
            raise PidFileError(f"another daemon runs already: process {pid} holds the pid file {self.path}")

    def release(self) -> None:
        """Remove the file and give up the lock; nothing if it was never had."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # somebody else removed it; the lock goes with the descriptor
                os.unlink(self.path)
            os.close(self._fd)
            self._fd = -1
