# SPDX-License-Identifier: LGPL-2.1-or-later
"""The text of a file, taken apart as TOML, and what is found wrong with it, line by line.

Whoever reads a kind of file walks through it with `Table`, which checks types and notes problems instead of raising,
so that one run tells everything. No file is opened here.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from virtproxy.toml.positions import Path, positions

_AT = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, on which line (from 1; 0 is the file as a whole)."""

    line: int
    text: str

    def at(self, path: str) -> str:
        """With its place, as compilers write it."""
        return f"{path}:{self.line}: {self.text}" if self.line else f"{path}: {self.text}"


class SourceError(Exception):
    """A file that is not to be used: every problem, in the order of the lines. `advice` says how to see the rest."""

    advice = ""

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(set(problems)))
        first, more = self.problems[0].at(path), len(self.problems) - 1
        rest = f"{more} more{self.advice.format(path=path)}"
        super().__init__(f"{first} (and {rest})" if more else first)


class Source:
    """A text as TOML: the tree, the line of everything in it, and the problems noted so far."""

    failure: ClassVar[type[SourceError]] = SourceError

    def __init__(self, path: str, content: bytes) -> None:
        """Raises `failure` if it is not TOML."""
        self.path = path
        self.digest = hashlib.sha256(content).digest()
        self.errors: list[Problem] = []
        self.warnings: list[Problem] = []
        try:
            text = content.decode().replace("\r\n", "\n")
            self.tree = tomllib.loads(text)
            self._lines = positions(text)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.failure(path, [Problem(line, "is not UTF-8 text")]) from None
        except RecursionError:
            raise self.failure(path, [Problem(0, "is nested too deeply")]) from None
        except ValueError as error:
            raise self.failure(path, [_syntax_problem(content, str(error))]) from None

    def line(self, path: Path) -> int:
        """The line of what is at `path`, or of what it is in."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 0)

    def error(self, path: Path, text: str) -> None:
        """Note what makes the file unusable."""
        self.errors.append(Problem(self.line(path), text))

    def warn(self, path: Path, text: str) -> None:
        """Note what is likely not meant so."""
        self.warnings.append(Problem(self.line(path), text))


def _syntax_problem(content: bytes, message: str) -> Problem:
    found = _AT.search(message)
    if found:
        line = int(found.group(1))
    else:
        line = content.rstrip().count(b"\n") + 1 if message.endswith("(at end of document)") else 0
    said = _AT.sub("", message).removesuffix(" (at end of document)")[:200]
    return Problem(line, f"is not TOML: {_printable(said)}")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def shown(value: object) -> str:
    """How a problem shows a value, which may be anything."""
    text = f'"{value}"' if isinstance(value, str) else "a list" if isinstance(value, list) else ""
    text = text or ("a table" if isinstance(value, dict) else str(value).lower())
    text = _printable(text[:61])
    return text if len(text) <= 60 else f"{text[:57]}..."


def hint(name: str, known: Iterable[str]) -> str:
    """A question about the nearest known name, or nothing."""
    near = difflib.get_close_matches(name[:100], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


class Table:
    """One table of the source: takes values out by key, noting what is of a wrong type."""

    def __init__(self, source: Source, path: Path, value: object, keys: Iterable[str]) -> None:
        self.source = source
        self.path = path
        self._values: dict[str, Any] = value if isinstance(value, dict) else {}
        known = tuple(keys)
        if not isinstance(value, dict):
            self.error(None, f"must be a table of {', '.join(known)}, not {shown(value)}")
        for key in self._values:
            if known and key not in known:
                self.error(key, f"there is no key {shown(key)} here{hint(key, known)}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.source.line(self.path)

    def place(self, key: str | None) -> Path:
        """The path of a key, or of the table."""
        return self.path if key is None else (*self.path, key)

    def error(self, key: str | None, text: str) -> None:
        """Note a problem with a key, or with the table."""
        self.source.error(self.place(key), text)

    def raw(self, key: str) -> Any:
        """The value as TOML has it; None if there is none."""
        return self._values.get(key)

    def flag(self, key: str) -> bool:
        """A value of true or false; false if there is none."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            self.error(key, f"{key} must be true or false, not {shown(value)}")
        return value is True

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self._values.get(key, default)
        if not isinstance(value, str):
            self.error(key, f"{key} must be a string, not {shown(value)}")
            return default
        return value

    def number(self, key: str) -> int | None:
        """A whole number from 0; None if there is none."""
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
            self.error(key, f"{key} must be a whole number from 0, not {shown(value)}")
            return None
        return value

    def items(self, key: str) -> list[tuple[Path, Any]]:
        """The elements of a list, each with its place; one value stands for a list of one."""
        if key not in self._values:
            return []
        value, place = self._values[key], self.place(key)
        if not isinstance(value, list):
            return [(place, value)]
        if not value:
            self.error(key, f"{key} is an empty list")
        return [((*place, number), element) for number, element in enumerate(value)]

    def texts(self, key: str) -> list[tuple[Path, str]]:
        """The strings of a list, each with its place; one string stands for a list of one."""
        found = []
        for place, value in self.items(key):
            if not isinstance(value, str):
                self.source.error(place, f"{key} takes strings, not {shown(value)}")
            elif not value or not value.isprintable():
                what = "a character that cannot be printed" if value else "an empty string"
                self.source.error(place, f"{key} holds {what}")
            else:
                found.append((place, value))
        return found
