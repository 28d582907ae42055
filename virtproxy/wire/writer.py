# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the text of encoders and decoders: what both have in common.

Used by ``encoder`` and ``decoder``. It knows indentation, fresh names, and runs: neighbouring items of fixed size,
which become one call of one ``struct.Struct`` however deep the structs they come from are nested.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from virtproxy.wire.xdr import WireError


@cache
def packer(codes: str) -> struct.Struct:
    """Return the big-endian ``struct.Struct`` of these codes, one for each distinct run."""
    return struct.Struct(">" + codes)


class Writer:
    """Collects the lines of one function and the objects it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"WireError": WireError, "PADS": (b"", b"\0", b"\0\0", b"\0\0\0")}
        self.depth = 1
        self.run: list[tuple[str, str]] = []
        self.counter = 0

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self.lines.append("    " * self.depth + text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add ``head`` and indent what is added inside; the run must be flushed at both ends."""
        self.line(head)
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, stem: str) -> str:
        """Return a local name nobody has used."""
        self.counter += 1
        return f"{stem}{self.counter}"

    def bind(self, stem: str, value: Any) -> str:
        """Return a global name that refers to ``value``."""
        for name, bound in self.names.items():
            if bound is value:
                return name
        name = self.fresh(stem)
        self.names[name] = value
        return name

    def fail_if(self, condition: str, message: str) -> None:
        """Add a check; ``message`` is the text of the WireError and may hold braces of an f-string."""
        self.line(f'if {condition}: raise WireError(f"{message}")')

    def take_run(self) -> tuple[struct.Struct, str, list[str]]:
        """Return and forget the run: its packer, the packer's name, and the items."""
        pack = packer("".join(code for code, _ in self.run))
        items = [item for _, item in self.run]
        self.run = []
        return pack, self.bind("P", pack), items
