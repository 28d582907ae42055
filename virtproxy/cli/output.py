# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the ``virtproxy`` tool prints: sentences for people, or JSON for scripts.

The subcommands call it. Colour is for terminals only. It must not decide what is said, only how.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

BOLD, GREEN, YELLOW, RED = "1", "32", "33", "31"


class CommandError(Exception):
    """A subcommand cannot go on; the message is a sentence that says what to do. The exit status is 1."""


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Return the text in a colour (SGR parameter) where the stream is a terminal that wants one."""
    wanted = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{colour}m{text}\x1b[0m" if wanted else text


def complain(program: str, sentence: str) -> None:
    """Say on standard error why a program gives up."""
    print(f"{paint(program + ':', RED, sys.stderr)} {sentence}", file=sys.stderr, flush=True)


# Controls, what changes the direction of text, and bytes that were no UTF-8.
_DRIVING = dict.fromkeys(
    [*range(32), *range(127, 160), *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)], "?"
)


def printable(text: str) -> str:
    """Return a text that somebody else chose, without what would drive a terminal or break a line."""
    return text.translate(_DRIVING)


class Narrator:
    """Tells the steps of a command on standard output as they happen; ``quiet`` for JSON output."""

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stdout

    def heading(self, text: str) -> None:
        """Begin a section."""
        self.line("\n" + paint(text, BOLD, self._stream))

    def done(self, text: str) -> None:
        """Report a step that went well."""
        self.line(f"  {paint('ok', GREEN, self._stream)}  {text}")

    def note(self, text: str) -> None:
        """Report what a reader should know though nothing is wrong."""
        self.line(f"  {paint('note', YELLOW, self._stream)}  {text}")

    def quote(self, text: str) -> None:
        """Show another program's output, set in."""
        for line in filter(str.strip, text.splitlines()):
            self.line(f"      {line}")

    def line(self, text: str = "") -> None:
        """Print one line as it is."""
        if not self._quiet:
            print(text, file=self._stream, flush=True)
