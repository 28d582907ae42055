# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disk space that is had before it is needed: fallocate(2) without a change of the file's size.

``logfile`` reserves room for the line of a call before the call is carried out, so that a full disk is noticed
while it can still be refused. Python's posix_fallocate would make the file longer.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from functools import cache
from typing import Any

_KEEP_SIZE = 1  # linux/falloc.h: FALLOC_FL_KEEP_SIZE
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@cache
def _fallocate() -> Any:
    function = ctypes.CDLL(None, use_errno=True).fallocate64
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function


def give_back(fd: int) -> None:
    """Let go what was reserved beyond the end of the file; where that cannot be it stays."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, os.fstat(fd).st_size)


def reserve(fd: int, offset: int, length: int) -> bool:
    """Have `length` bytes allocated from `offset` on; False where the file system cannot. Raises OSError (ENOSPC)."""
    while _fallocate()(fd, _KEEP_SIZE, offset, length) != 0:
        number = ctypes.get_errno()
        if number in _UNSUPPORTED:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True
