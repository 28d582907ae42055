# SPDX-License-Identifier: LGPL-2.1-or-later
"""On which line of a TOML text each key, table and element stands; tomllib does not tell.

`source.py` calls it for texts that tomllib has read, so that only what TOML allows comes here. A place is a path of
names and numbers: ("grant", 0, "roles", 1) is the second role of the first `[[grant]]`.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r"""
    \"""(?: \\. | [^\\] )*?"{3,5}   # of several lines
    | \'\'\'.*?'{3,5}
    | "(?: \\. | [^"\\] )*"
    | '[^']*'
    """,
    re.DOTALL | re.VERBOSE,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def positions(text: str) -> dict[Path, int]:
    """The line, from 1, of everything in `text`. RecursionError if it is nested too deeply."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        # How many tables each [[name]] has so far.
        self._counts: dict[Path, int] = {}
        self._counted_to, self._line = 0, 1

    def document(self) -> None:
        table: Path = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _line_here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line

    def _skip(self, what: re.Pattern[str]) -> int:
        match = what.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return self.at

    def _note(self, path: Path, line: int) -> Path:
        self.found.setdefault(path, line)
        return path

    def _header(self) -> Path:
        line, several = self._line_here(), self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        parts = self._key()
        self.at += 2 if several else 1
        path: Path = ()
        for number, part in enumerate(parts, 1):
            path = self._note((*path, part), line)
            if number == len(parts) and several:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = self._note((*path, self._counts[path] - 1), line)
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            start = self.at
            if self.text[start] in "\"'":
                self._skip(_STRING)
                parts.append(str(tomllib.loads(f"key = {self.text[start : self.at]}")["key"]))
            else:
                self._skip(_BARE)
                parts.append(self.text[start : self.at])
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _pair(self, table: Path) -> None:
        line, path = self._line_here(), table
        for part in self._key():
            path = self._note((*path, part), line)
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._elements(path)
        elif opening == "{":
            self._inline_table(path)
        elif opening in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _elements(self, path: Path) -> None:
        self.at += 1
        number = 0
        while self.text[self._skip(_BLANK)] != "]":
            self._value(self._note((*path, number), self._line_here()))
            number += 1
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self._skip(_BLANK)] != "}":
            self._pair(path)
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1
