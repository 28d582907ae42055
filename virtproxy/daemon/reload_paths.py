# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a file looks like from outside, and in which directories a change could make it another one.

``reload`` asks, in a thread: a path may be on a file system that hangs. No file is opened here.
"""

from __future__ import annotations

import os
import stat

_LINKS_MAX = 40  # path_resolution(7)


def stamp_of(path: str) -> tuple[int, ...] | None:
    """What tells the file at ``path`` (links followed) from another and from its former self."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def directories_of(path: str) -> set[str]:
    """The directories in which a change can make ``path`` another file: its own and those of each link on the way."""
    found: set[str] = set()
    # Not normalised: what ".." leads to is known only once the links before it are followed.
    rest, place = [part for part in os.path.join(os.getcwd(), path).split("/") if part not in ("", ".")][::-1], "/"
    for _ in range(_LINKS_MAX):
        place, target = _walk(rest, place)
        found.add(place)
        if target is None:
            break
        place = "/" if target.startswith("/") else place
        rest += [part for part in target.split("/") if part not in ("", ".")][::-1]
    return found


def _walk(rest: list[str], place: str) -> tuple[str, str | None]:
    """Go down from ``place`` by the names in ``rest``, the next one last, to the next link or to the end.

    Returns the directory in which that is, and the link's target.
    """
    while rest:
        name = rest.pop()
        here = os.path.dirname(place) if name == ".." else os.path.join(place, name)
        try:
            mode = os.lstat(here).st_mode
        except OSError:
            return place, None
        if stat.S_ISLNK(mode):
            return place, os.readlink(here)
        if not rest:
            return place, None
        place = here
    return place, None
