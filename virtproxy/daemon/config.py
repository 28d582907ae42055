# SPDX-License-Identifier: LGPL-2.1-or-later
"""The grammar of libvirt's ``.conf`` files: ``key = value``, one a line.

Called by ``settings``, which knows what the keys mean. Accepts what libvirt's own parser accepts, checked
against libvirtd 9.0.0: strings in ' or " without escapes, text over several lines between three \", numbers,
lists over several lines, ``#`` comments outside lists, ``;`` between two settings. It must know no key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from virtproxy.daemon.failure import ConfigError, reason

Value = int | str | list["Value"]

# What libvirt's reader takes of one file (10 MiB).
SIZE_MAX = 10 * 1024 * 1024
# Lists in lists have no use in any key; the bound keeps a hostile file from exhausting the stack.
_DEPTH_MAX = 16
# A number longer than this fits no key, and turning it into an int would take for ever.
_DIGITS_MAX = 30

_BLANKS = re.compile(r"[ \t]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_COMMENT = re.compile(r"#[^\r\n]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``key = value`` and the line where it stands."""

    key: str
    value: Value
    line: int


def shortened(name: str) -> str:
    """How a message shows the name of a setting, which may be of any length."""
    return name if len(name) <= 60 else f"{name[:57]}..."


class _Reader:
    """Walks over the text of one file."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.at = 0

    def error(self, problem: str, at: int | None = None) -> ConfigError:
        return ConfigError(self.path, self.line(at), problem)

    def line(self, at: int | None = None) -> int:
        return self.text.count("\n", 0, self.at if at is None else at) + 1

    def skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()

    def take(self, pattern: re.Pattern[str]) -> str:
        """Return what ``pattern`` matches here and step over it; empty if it does not match."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def found(self) -> str:
        """How an error names what stands here."""
        char = self.peek()
        if not char:
            return "the end of the file"
        return "the end of the line" if char in "\r\n" else repr(char)

    def statement(self) -> Setting:
        line = self.line()
        name = self.take(_NAME)
        if not name:
            raise self.error(f"expected the name of a setting, which starts with a letter, found {self.found()}")
        self.skip(_BLANKS)
        if self.peek() != "=":
            raise self.error(f"expected '=' after {shortened(name)!r}, found {self.found()}")
        self.at += 1
        self.skip(_BLANKS)
        value = self.value(0)
        self.end_of_statement(name)
        return Setting(name, value, line)

    def end_of_statement(self, name: str) -> None:
        self.skip(_BLANKS)
        self.skip(_COMMENT)
        if self.peek() == ";":
            self.at += 1
        elif self.peek() not in {"", "\r", "\n"}:
            raise self.error(
                f"expected the end of the line after the value of {shortened(name)!r}, found {self.found()}"
            )

    def value(self, depth: int) -> Value:
        char = self.peek()
        if char and char in "'\"":
            return self.string(char)
        if char == "[":
            return self.items(depth)
        if char and char in "+-0123456789":
            return self.number()
        hint = "; a list cannot hold comments" if depth and char == "#" else ""
        raise self.error(
            f"expected a value (a number, a string in quotes or a list in [ ]), found {self.found()}{hint}"
        )

    def number(self) -> int:
        digits = self.take(_NUMBER)
        if not digits:
            raise self.error(f"expected digits after {self.peek()!r}")
        if len(digits) > _DIGITS_MAX:
            raise self.error("expected a number of sensible size")
        return int(digits)

    def string(self, quote: str) -> str:
        start = self.at
        if self.text.startswith('"""', start):
            end = self.text.find('"""', start + 3)
            if end < 0:
                raise self.error('expected """ to end the text that starts here, found the end of the file')
            self.at = end + 3
            return self.text[start + 3 : end]
        body = self.take(_STRINGS[quote])
        if not body:
            raise self.error(f"expected {quote} to end the string before the end of the line")
        return body[1:-1]

    def items(self, depth: int) -> list[Value]:
        if depth >= _DEPTH_MAX:
            raise self.error("expected no more lists inside lists")
        start = self.at
        items: list[Value] = []
        self.at += 1
        self.skip(_SPACE)
        while self.peek() != "]":
            if not self.peek():
                raise self.error("expected ']' to end the list that starts here", start)
            items.append(self.value(depth + 1))
            self.skip(_SPACE)
            self.separator(start)
        self.at += 1
        return items

    def separator(self, start: int) -> None:
        if self.peek() == ",":
            self.at += 1
            self.skip(_SPACE)
        elif not self.peek():
            raise self.error("expected ']' to end the list that starts here", start)
        elif self.peek() != "]":
            raise self.error(f"expected ',' or ']' in the list, found {self.found()}")


_STRINGS = {quote: re.compile(f"{quote}[^{quote}\r\n]*{quote}") for quote in "'\""}


def parse(text: str, path: str) -> list[Setting]:
    """Return the settings of ``text`` in their order, a repeated one too.

    Raises ConfigError that names ``path``, the line and what is expected there.
    """
    reader = _Reader(text, path)
    nul = text.find("\0")
    if nul >= 0:
        raise reader.error("expected text, found a zero byte", nul)
    settings: list[Setting] = []
    reader.skip(_BETWEEN)
    while reader.peek():
        settings.append(reader.statement())
        reader.skip(_BETWEEN)
    return settings


def read(path: str) -> list[Setting]:
    """Return the settings of the file ``path``. Raises ConfigError, also when it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(path, None, f"cannot read the configuration file: {reason(error)}") from None
    if len(data) > SIZE_MAX:
        raise ConfigError(path, None, f"expected a configuration file of at most {SIZE_MAX} bytes")
    return parse(data.decode("utf-8", "surrogateescape"), path)
