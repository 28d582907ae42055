# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the commands of a document and their outputs, so that a test can run them: blocks that start with ```console.

A line that starts with "# " is a command, "> " goes on with it, and what follows is its output up to the next command.
In an output, "..." stands for any text, and as a line of its own for any number of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Step:
    """One command, of one or several lines, and what the document says it prints."""

    command: str
    output: str = ""

    def matches(self, printed: str) -> bool:
        """Whether the command has printed what the document says."""
        lines = (re.escape(line).replace(r"\.\.\.", ".*") + "\n" for line in self.output.splitlines())
        return re.fullmatch("".join(_many(line) for line in lines), printed) is not None


def _many(line: str) -> str:
    return r"(?:.*\n)*" if line == ".*\n" else line


def steps(document: Path) -> list[Step]:
    """The commands of a document in their order."""
    found: list[Step] = []
    for block in _BLOCK.findall(document.read_text()):
        for line in block.splitlines(keepends=True):
            if line.startswith("# "):
                found.append(Step(line[2:]))
            elif line.startswith("> "):
                found[-1].command += line[2:]
            else:
                found[-1].output += line
    return found
