# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copies a storage volume from or to a local file, holes included.

A convenience over ``Client.open_stream``. Files are read and written in pieces in the caller's thread, so they should
be local.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from virtproxy.client.client import Client
from virtproxy.protocol import remote
from virtproxy.rpc.streams import Hole
from virtproxy.wire.limits import STREAM_PAYLOAD_MAX

SPARSE = 1


async def download(
    client: Client, volume: remote.NonnullStorageVol, file: BinaryIO, *, offset: int = 0, length: int = 0
) -> None:
    """Write the volume (``length`` bytes from ``offset``, 0: to its end) into a seekable file, from its position.

    What the volume does not store becomes a hole of the file. Raises VirtError, OSError.
    """
    args = remote.StorageVolDownloadArgs(vol=volume, offset=offset, length=length, flags=SPARSE)
    async with await client.open_stream(remote.STORAGE_VOL_DOWNLOAD, args) as stream:
        while item := await stream.read_item():
            if isinstance(item, Hole):
                file.seek(item, os.SEEK_CUR)
            else:
                file.write(item)
        file.truncate()


async def upload(client: Client, volume: remote.NonnullStorageVol, file: BinaryIO, *, offset: int = 0) -> None:
    """Write a local file, from its beginning, into the volume from ``offset`` on; holes of the file are not sent.

    Raises VirtError, OSError.
    """
    args = remote.StorageVolUploadArgs(vol=volume, offset=offset, length=0, flags=SPARSE)
    async with await client.open_stream(remote.STORAGE_VOL_UPLOAD, args) as stream:
        for item in pieces(file):
            if isinstance(item, Hole):
                await stream.write_hole(item)
            else:
                await stream.write(item)


def pieces(file: BinaryIO) -> Iterator[bytes | Hole]:
    """The data and the holes of a file, in order."""
    end = os.fstat(file.fileno()).st_size
    position = 0
    while position < end:
        data = _next_data(file.fileno(), position, end)
        if data > position:
            yield Hole(data - position)
        if data == end:
            return
        position = os.lseek(file.fileno(), data, os.SEEK_HOLE)
        for start in range(data, position, STREAM_PAYLOAD_MAX):
            yield os.pread(file.fileno(), min(STREAM_PAYLOAD_MAX, position - start), start)


def _next_data(fd: int, position: int, end: int) -> int:
    try:
        return os.lseek(fd, position, os.SEEK_DATA)
    except OSError:  # ENXIO: only a hole up to the end
        return end
