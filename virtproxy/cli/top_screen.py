# SPDX-License-Identifier: LGPL-2.1-or-later
"""A terminal that is drawn anew: ``virtproxy top`` shows its lines on it and reads single keys.

Leaves the terminal as it was, whatever ends it. Lines may be coloured; they are cut to the width.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import sys
import termios
import tty
from types import TracebackType

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class Screen:
    """The terminal of standard input and output, as a block."""

    def __enter__(self) -> Screen:
        self._fd = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before = None if self._fd is None else termios.tcgetattr(self._fd)
        if self._fd is not None:
            tty.setcbreak(self._fd)
        sys.stdout.write(_ENTER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        if self._fd is not None and self._before is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def draw(self, lines: list[str], last: str = "") -> None:
        """Show as many lines as fit, and a sentence at the bottom."""
        width, height = shutil.get_terminal_size()
        shown = lines[: height - 1]
        text = "".join(f"{fitted(line, width)}\x1b[K\n" for line in shown)
        sys.stdout.write(f"\x1b[H{text}\x1b[J{fitted(last, width)}")
        sys.stdout.flush()

    def key(self, seconds: float) -> str:
        """The next key, empty if none is pressed in time."""
        if self._fd is None:
            select.select([], [], [], seconds)
            return ""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        return os.read(self._fd, 1).decode("latin-1") or "q" if ready else ""

    def ask(self, question: str) -> str:
        """A line that is typed in; empty if it is given up."""
        answer = ""
        while True:
            sys.stdout.write(f"\r\x1b[K{question}{answer}")
            sys.stdout.flush()
            key = self.key(60)
            if key in ("\r", "\n"):
                return answer
            if key in ("", "\x1b", "\x03", "\x04"):
                return ""
            answer = answer[:-1] if key in ("\x7f", "\x08") else answer + key if key.isprintable() else answer


def fitted(line: str, width: int) -> str:
    """The line cut to the width, its colours kept and ended."""
    plain = _COLOUR.sub("", line)
    if len(plain) <= width:
        return line
    begin = _COLOUR.match(line)
    cut = plain[:width]
    return f"{begin[0]}{cut}\x1b[0m" if begin is not None else cut
