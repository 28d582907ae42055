# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file of a policy: read with care, and taken apart as TOML.

The only file that this package opens is opened here.
"""

from __future__ import annotations

import os
import stat

from virtproxy.toml import source
from virtproxy.toml.source import Problem, SourceError

# A policy of a thousand grants is a tenth of it.
SIZE_MAX = 1 << 20
# How deep subjects and roles may be made of one another.
NESTED_MAX = 16


class PolicyError(SourceError):
    """A policy that is not to be used."""

    advice = ": virtproxy policy check {path}"


class Source(source.Source):
    """A policy's text."""

    failure = PolicyError


def read_file(path: str, uid: int | None = None) -> bytes:
    """The file's content. PolicyError if it cannot be read, or if others than root and `uid` could have written it.

    `uid` is the daemon's own by default.
    """
    try:
        # Not blocking: a FIFO must not stop the daemon.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            _check_file(path, os.fstat(file.fileno()), os.geteuid() if uid is None else uid)
            content = file.read(SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise PolicyError(path, [Problem(0, f"cannot be read: {why}")]) from None
    if len(content) > SIZE_MAX:
        raise PolicyError(path, [Problem(0, f"is larger than {SIZE_MAX} bytes; use groups and patterns")])
    return content


def _check_file(path: str, found: os.stat_result, uid: int) -> None:
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "is not a plain file"
    elif found.st_uid not in (0, uid):
        problem = f"belongs to user {found.st_uid}, who could change it: chown it to root"
    elif found.st_mode & 0o022:
        problem = f"can be written by others than its owner (mode {stat.S_IMODE(found.st_mode):04o}): chmod go-w it"
    if problem:
        raise PolicyError(path, [Problem(0, problem)])
