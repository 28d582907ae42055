# SPDX-License-Identifier: LGPL-2.1-or-later
"""One driver of a kind a host: the lock that libvirt's daemons and these share.

A driver that names its `run_directory` holds it from before its start to the end of the process. Without it a
monolithic and a modular daemon, libvirt's or these, would change the same files without knowing of each other.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress

from virtproxy.driver.definitions import system_error
from virtproxy.driver.files import make_directory
from virtproxy.driver.place import Place
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode

# struct flock: a write lock of the first byte. libvirt's is of the process, ours of the open file: they exclude each
# other, but ours is not lost when something in this process closes the file once more.
_FIRST_BYTE = struct.pack("@hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)


class Instance:
    """The file `driver.pid` in a driver's directory below `run`, locked as long as this is held."""

    def __init__(self, place: Place, directory: str) -> None:
        self.path = os.path.join(place.run_of(directory), "driver.pid")
        self._fd = -1

    def acquire(self) -> None:
        """Take it, for this process. VirtError OPERATION_FAILED, with the holder, if another daemon has it."""
        try:
            make_directory(os.path.dirname(self.path), 0o755)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise system_error(error, f"Failed to open pid file '{self.path}'") from None
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FIRST_BYTE)
        except OSError:
            holder = os.pread(fd, 20, 0).decode(errors="replace").strip()
            os.close(fd)
            detail = f"another daemon (process {holder}) has this driver: end it first; it holds {self.path}"
            raise VirtError.of(ErrorCode.OPERATION_FAILED, detail) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give it up, if it is held."""
        if self._fd >= 0:
            with suppress(OSError):
                os.unlink(self.path)
            os.close(self._fd)
            self._fd = -1
