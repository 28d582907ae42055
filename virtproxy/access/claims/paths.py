# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a path leads: as it is written, and over the links of this host.

`lexical` is pure; `real` asks the file system and is called in a thread. Neither opens a file.
"""

from __future__ import annotations

import os
import posixpath
import re

# A policy's pattern for absolute paths must never match what is not one.
_SLASHES = re.compile(r"^//+")


def lexical(path: str) -> str:
    """The path without "." and "..", doubled and trailing slashes; a relative one stays relative."""
    return _SLASHES.sub("/", posixpath.normpath(path)) if path else path


def real(path: str) -> str | None:
    """Where an absolute path leads over all links, with `..` taken as the kernel does; None for other paths.

    Parts that do not exist stay as they are. A path below /proc/self means another thing in another process: it is
    left for the policy as it stands. Raises OSError for a chain of links without an end.
    """
    if not path.startswith("/") or "\0" in path:
        return None
    found = os.path.realpath(path)
    if os.path.islink(found):
        raise OSError(f"{path} is a link to itself")
    return _SLASHES.sub("/", found)
