# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is known of a volume that is a file, directory or device of this host.

Everything here blocks: run it in threads. Links are followed, as libvirt does: who may write into a pool decides what
is in it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from twisted.logger import Logger

from virtproxy.documents.storage import Permissions
from virtproxy.documents.storage_pool import PoolDocument
from virtproxy.documents.storage_volume import Encryption, Image, Timestamps, VolumeDocument
from virtproxy.driver import ErrorCode, VirtError, system_error
from virtproxy.drivers.storage.errors import failed, failure, system
from virtproxy.drivers.storage.probe import HEAD, Probed, probe, resolve

# Where volumes are made until they are whole; see `unfinished`.
HIDDEN = re.compile(r"\.virtproxy-[0-9a-f]{8}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_log = Logger()


def scan(pool: PoolDocument) -> list[VolumeDocument]:
    """Every volume in a pool's directory, by name, and the sizes of its file system into `pool`. VirtError."""
    path = pool.target or ""
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise system_error(error, f"cannot open directory '{path}'") from None
    volumes = list(_volumes(path, names))
    measure(pool)
    return volumes


def measure(pool: PoolDocument) -> None:
    """Write the sizes, mode and owner of a pool's directory into its document. VirtError."""
    path = pool.target or ""
    try:
        figures, status = os.statvfs(path), os.stat(path)
    except OSError as error:
        raise system(error, f"cannot statvfs path '{path}'") from None
    pool.capacity = figures.f_frsize * figures.f_blocks
    pool.available = figures.f_frsize * figures.f_bfree
    pool.allocation = pool.capacity - pool.available
    pool.permissions = _permissions(status)


def _volumes(path: str, names: list[str]) -> Iterator[VolumeDocument]:
    for name in names:
        if _CONTROL.search(name):
            _log.warn("ignoring a file with control characters in its name in '{path}'", path=path)
        elif not HIDDEN.fullmatch(name):
            try:
                volume = find(name, os.path.join(path, name))
            except (OSError, VirtError) as error:
                _log.warn("'{path}/{name}' is not a volume: {error}", path=path, name=name, error=error)
                continue
            if volume is not None:
                yield volume


def find(name: str, path: str) -> VolumeDocument | None:
    """The volume at `path`; None if what is there is none (a socket, a link to nothing). OSError."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    kind = _kind(status.st_mode)
    if kind is None:
        return None
    volume = VolumeDocument(name, kind, path)
    volume.target = Image(path)
    examine(volume)
    return volume


def examine(volume: VolumeDocument) -> None:
    """Write everything that the file says of itself into the document. OSError."""
    path = volume.path
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        status = os.fstat(fd)
        volume.type = _kind(status.st_mode) or volume.type
        head = b"" if stat.S_ISDIR(status.st_mode) else os.pread(fd, HEAD, 0)
        _measure(volume, status, fd)
    finally:
        os.close(fd)
    if volume.type == "dir":
        volume.target.format = "dir"
        return
    _describe(volume, probe(head))


def remeasure(volume: VolumeDocument) -> None:
    """Write the file's present sizes, times and owner into the document. VirtError."""
    try:
        fd = os.open(volume.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise failure(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching path '{volume.path}'") from None
    except OSError as error:
        raise system(error, f"cannot open volume '{volume.path}'") from None
    try:
        _measure(volume, os.fstat(fd), fd)
    finally:
        os.close(fd)


def kind_of(path: str) -> str | None:
    """What kind of volume is at `path`; None if what is there is none. OSError."""
    return _kind(os.stat(path).st_mode)


def _kind(mode: int) -> str | None:
    """What a volume of that mode is; None if it is none."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "block" if stat.S_ISBLK(mode) else None


def _measure(volume: VolumeDocument, status: os.stat_result, fd: int) -> None:
    if volume.type == "dir":
        volume.capacity = volume.allocation = volume.physical = 0
    elif volume.type == "block":
        volume.physical = volume.allocation = volume.capacity = os.lseek(fd, 0, os.SEEK_END)
    else:
        volume.physical = status.st_size
        volume.allocation = status.st_blocks * 512
        if volume.target.format == "raw" and volume.target.encryption is None:
            volume.capacity = status.st_size
    label = volume.target.permissions.label
    volume.target.permissions = _permissions(status)
    volume.target.permissions.label = label
    volume.target.timestamps = _times(status)


def _describe(volume: VolumeDocument, probed: Probed) -> None:
    target = volume.target
    target.format, target.compat = probed.format, probed.compat
    target.features, target.cluster_size = probed.features, probed.cluster_size
    if probed.encryption is None:
        target.encryption = None
    elif target.encryption is None or target.encryption.format != probed.encryption:
        target.encryption = Encryption(probed.encryption)
    if probed.capacity is not None:
        volume.capacity = probed.capacity
    elif volume.type == "file":
        volume.capacity = max(volume.physical - probed.payload, 0)
    volume.backing = None if probed.backing is None else _backing(volume.path, probed)


def _backing(path: str, probed: Probed) -> Image:
    image = Image(resolve(path, probed.backing or ""), probed.backing_format or "raw")
    try:
        fd = os.open(image.path or "", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return image
    try:
        status = os.fstat(fd)
        image.permissions, image.timestamps = _permissions(status), _times(status)
        if probed.backing_format is None and stat.S_ISREG(status.st_mode):
            image.format = probe(os.pread(fd, HEAD, 0)).format
    except OSError as error:
        _log.warn("'{path}' cannot be read: {error}", path=image.path, error=error.strerror)
    finally:
        os.close(fd)
    return image


def examine_backing(image: Image) -> None:
    """Write the owner and times of a backing file into the document. VirtError if it cannot be used."""
    path = image.path or ""
    try:
        if not os.access(path, os.R_OK):
            status = os.stat(path)
            raise failed(f"inaccessible backing store volume {path}")
        status = os.stat(path)
    except OSError as error:
        raise system(error, f"inaccessible backing store volume {path}") from None
    image.permissions, image.timestamps = _permissions(status), _times(status)


def _permissions(status: os.stat_result) -> Permissions:
    return Permissions(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)


def _times(status: os.stat_result) -> Timestamps:
    return Timestamps(status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
