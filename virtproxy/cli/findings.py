# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ``virtproxy mode`` and ``virtproxy doctor`` find: a sentence, how bad it is, and the command that mends it.

Both print them with ``show`` and end with ``status``. It must find nothing itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from virtproxy.cli.output import GREEN, RED, YELLOW, paint

# An error keeps somebody out or lets the wrong one in now; a warning may become one. UNSEEN is what this user cannot
# see.
OK, UNSEEN, WARNING, ERROR = "ok", "unseen", "warning", "error"
_COLOURS = {OK: GREEN, UNSEEN: YELLOW, WARNING: YELLOW, ERROR: RED}

# As "virtproxy pki check" ends: 3 needs somebody; 1 and 2 are taken by "could not" and "wrong usage".
ERRORS_FOUND, WARNINGS_FOUND = 3, 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: ``about`` is what it is about in a word or two, ``fix`` a command or a sentence, empty if none."""

    level: str
    about: str
    problem: str
    fix: str = ""


def status(found: Iterable[Finding]) -> int:
    """Return the exit status: ERRORS_FOUND, WARNINGS_FOUND or 0."""
    levels = {one.level for one in found}
    if ERROR in levels:
        return ERRORS_FOUND
    return WARNINGS_FOUND if WARNING in levels else 0


def show(found: Iterable[Finding]) -> None:
    """Print each finding and, below it, what to do."""
    for one in found:
        print(f"{paint(one.level, _COLOURS[one.level], sys.stdout)}: {one.about}: {one.problem}")
        if one.fix:
            print(f"    {one.fix}")
