# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw files and devices: made, copied, resized, wiped. Everything here blocks: run it in threads.

Copies keep holes. Nothing here knows pools; errors are OSError unless said otherwise.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable

from virtproxy.documents.storage import Permissions
from virtproxy.documents.storage_volume import VolumeDocument
from virtproxy.driver import VirtError
from virtproxy.drivers.storage.errors import system

BLOCK = 4 * 1024 * 1024
_FICLONE = 0x40049409
# Blocks of a copy that are zero become holes at this size.
_GRAIN = 65536
_ZEROS = bytes(BLOCK)
Stop = Callable[[], bool]


def create(path: str, volume: VolumeDocument) -> None:
    """Make a raw file as the document has it: its capacity, and blocks for its allocation. VirtError."""
    fd = _new(path)
    try:
        _extend(fd, path, volume)
        os.fsync(fd)
    finally:
        os.close(fd)
    own(path, volume.target.permissions)


def copy(source: str, path: str, volume: VolumeDocument, *, reflink: bool, device: bool = False) -> None:
    """Make a raw file, or fill a device, with what is in `source`; what is beyond it is empty. VirtError."""
    fd = _opened(path, os.O_WRONLY) if device else _new(path)
    try:
        if not device:
            _extend(fd, path, volume)
        origin = _opened(source, os.O_RDONLY)
        try:
            if reflink:
                _clone(origin, fd, source, path)
            else:
                _copy(origin, fd, volume.capacity, sparse=not device and volume.allocation < volume.capacity)
        except OSError as error:
            raise system(error, f"failed to copy '{source}' to '{path}'") from None
        finally:
            os.close(origin)
        os.fsync(fd)
    finally:
        os.close(fd)
    if not device:
        own(path, volume.target.permissions)


def own(path: str, permissions: Permissions) -> None:
    """Give a file its owner and mode (0600 if nothing is said). VirtError."""
    owner = -1 if permissions.owner is None else permissions.owner
    group = -1 if permissions.group is None else permissions.group
    try:
        if (owner, group) != (-1, -1):
            os.chown(path, owner, group)
        os.chmod(path, 0o600 if permissions.mode is None else permissions.mode)
    except OSError as error:
        raise system(error, f"cannot set mode of '{path}' to {permissions.mode or 0o600:04o}") from None


def resize(path: str, size: int, *, allocate: int | None) -> None:
    """Let a raw file have that many bytes; with `allocate`, blocks for all beyond that many. VirtError."""
    fd = _opened(path, os.O_RDWR)
    try:
        if allocate is not None and size > allocate:
            os.posix_fallocate(fd, allocate, size - allocate)
        else:
            os.ftruncate(fd, size)
        os.fsync(fd)
    except OSError as error:
        verb = "truncate" if allocate is None else "pre-allocate space for"
        raise system(error, f"Failed to {verb} file '{path}'") from None
    finally:
        os.close(fd)


def zero(path: str, length: int, stopped: Stop) -> None:
    """Overwrite a volume with zeros: a file with holes by being emptied and extended again. VirtError."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise system(error, f"Failed to open storage volume with path '{path}'") from None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) and status.st_blocks * 512 < status.st_size:
            os.ftruncate(fd, 0)
            os.ftruncate(fd, status.st_size)
        else:
            _write_zeros(fd, length, stopped)
        os.fsync(fd)
    except OSError as error:
        raise system(error, f"failed to wipe '{path}'") from None
    finally:
        os.close(fd)


def _write_zeros(fd: int, length: int, stopped: Stop) -> None:
    done = 0
    while done < length and not stopped():
        done += os.pwrite(fd, memoryview(_ZEROS)[: length - done], done)


def _new(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise system(error, f"Failed to create file '{path}'") from None


def _opened(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise system(error, f"could not open input path '{path}'") from None


def _extend(fd: int, path: str, volume: VolumeDocument) -> None:
    try:
        os.ftruncate(fd, volume.capacity)
    except OSError as error:
        raise system(error, f"cannot extend file '{volume.path or path}'") from None
    amount = min(volume.allocation, volume.capacity)
    if not amount:
        return
    try:
        os.posix_fallocate(fd, 0, amount)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise system(error, f"cannot allocate {amount} bytes in file '{volume.path or path}'") from None


def _clone(origin: int, fd: int, source: str, path: str) -> None:
    try:
        fcntl.ioctl(fd, _FICLONE, origin)
    except OSError as error:
        raise _reflink(error, source, path) from None


def _reflink(error: OSError, source: str, path: str) -> VirtError:
    return system(error, f"failed to clone files from '{source}'")


def _copy(origin: int, fd: int, most: int, *, sparse: bool) -> None:
    end = min(os.lseek(origin, 0, os.SEEK_END), most or 2**63 - 1)
    at = 0
    while at < end:
        try:
            start = min(os.lseek(origin, at, os.SEEK_DATA), end)
            stop = min(os.lseek(origin, start, os.SEEK_HOLE), end) if start < end else end
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            # A device knows of no holes.
            start, stop = at, end
        _copy_data(origin, fd, start, stop, sparse)
        at = stop


def _copy_data(origin: int, fd: int, at: int, end: int, sparse: bool) -> None:
    while at < end:
        data = os.pread(origin, min(BLOCK, end - at), at)
        if not data:
            return
        if not sparse:
            _write(fd, data, at)
        else:
            for start in range(0, len(data), _GRAIN):
                piece = data[start : start + _GRAIN]
                if piece.count(0) != len(piece):
                    _write(fd, piece, at + start)
        at += len(data)


def _write(fd: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, at)
        at += written
        view = view[written:]
