# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes decoders: from a plan to the text of a function ``decode(data, at, size)`` that returns a value and its
end.

Used by ``codec``. The text checks every count against its maximum and against the bytes that remain before it makes
anything, every padding byte, flag and enum member; a run that ends early is ``struct.error``, which ``codec``
translates.
"""

from __future__ import annotations

import struct
from typing import Any

from virtproxy.wire.plan import Array, Choice, Member, Node, Opaque, Optional, Record, Text, smallest
from virtproxy.wire.writer import Writer
from virtproxy.wire.xdr import Chars, Length, Number


class Decoder(Writer):
    """Writes statements that decode, and returns expressions that are the value once the run is flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.names |= {"new": tuple.__new__, "unpack_from": struct.unpack_from}
        self.checks: list[str] = []

    def function(self, node: Node) -> tuple[str, dict[str, Any]]:
        """Return the text of the decoder of ``node`` and the names it sees."""
        value = self.item(node)
        self.flush()
        self.line(f"return {value}, at")
        return "\n".join(["def decode(data, at, size):", *self.lines]), self.names

    def item(self, node: Node) -> str:
        """Write what decodes one item; return the expression of its value."""
        match node:
            case Number():
                return self.number(node)
            case Text():
                return self.text(node)
            case Opaque():
                return self.opaque(node)
            case Chars():
                return self.chars(node)
            case Member():
                return self.member(node)
            case Optional():
                return self.optional(node)
            case Array():
                return self.array(node)
            case Record():
                values = [self.item(item) for _, item in node.fields]
                return f"new({self.bind('C', node.cls)}, ({', '.join(values)},))"
            case Choice():
                return self.choice(node)

    def flush(self) -> None:
        """Write the run: one unpack for all of it, then the checks of its values."""
        if self.run:
            pack, name, items = self.take_run()
            self.line(f"{', '.join(items)}, = {name}.unpack_from(data, at); at += {pack.size}")
        for check in self.checks:
            self.line(check)
        self.checks = []

    def word(self, code: str = "I", stem: str = "n") -> str:
        """Add an item to the run; return its name."""
        name = self.fresh(stem)
        self.run.append((code, name))
        return name

    def number(self, node: Number) -> str:
        """A number joins the run; a narrow one is checked after it."""
        name = self.word(node.code, "v")
        if node.low is not None and node.high is not None:
            self.checks.append(
                f'if not {node.low} <= {name} <= {node.high}: raise WireError(f"number {{{name}}} is out of range")'
            )
        return name if node.high != 1 else f"{name} == 1"

    def count(self, limit: int, each: int) -> str:
        """A count ends the run, so that it can be checked at once; ``each`` is the fewest bytes of an item."""
        count = self.word()
        self.flush()
        self.fail_if(f"{count} > {limit}", f"count {{{count}}} is over the limit of {limit}")
        remains = f"{count} * {each}" if each != 1 else count
        self.fail_if(f"{remains} > size - at", f"count {{{count}}} is more than the bytes that remain")
        return count

    def padded(self, count: str) -> str:
        """``count`` bytes and their padding; ``count`` is a checked local or a number."""
        raw, end = self.fresh("b"), self.fresh("e")
        self.line(f"{end} = at + {count}; {raw} = data[at:{end}]; at += {count} + 3 & -4")
        self.line(f"if at != {end} and data[{end}:at] != PADS[at - {end}]: raise WireError('padding is not zero')")
        return raw

    def text(self, node: Text) -> str:
        """A string; bytes that are not UTF-8 survive as surrogates."""
        raw = self.padded(self.count(node.maximum, 1))
        self.fail_if(f"0 in {raw}", "a NUL byte inside a string")
        text = self.fresh("s")
        self.line(f"{text} = {raw}.decode('utf-8', 'surrogateescape')")
        return text

    def opaque(self, node: Opaque) -> str:
        """Bytes; a fixed whole number of words joins the run."""
        count = node.limit.size
        if not isinstance(node.limit, Length):
            return self.padded(self.count(count, 1))
        if count % 4 == 0:
            return self.word(f"{count}s", "b")
        self.flush()
        self.fail_if(f"{count} > size - at", "cut short")
        return self.padded(str(count))

    def chars(self, node: Chars) -> str:
        """An array of ``char``: of each word the low byte, the rest being its sign (or zero, from ARM and PowerPC)."""
        if isinstance(node.limit, Length):
            self.flush()
            count = str(node.limit.size)
        else:
            count = self.count(node.limit.size, 4)
        raw, words = self.fresh("b"), self.fresh("w")
        self.line(f"{words} = unpack_from(f'>{{{count}}}i', data, at)")
        self.fail_if(f"{words} and not -128 <= min({words}) <= max({words}) <= 255", "char is out of range")
        self.line(f"{raw} = data[at + 3:at + 4 * {count}:4]; at += 4 * {count}")
        return raw

    def member(self, node: Member) -> str:
        """An enum; another number than its members' is refused."""
        name = self.word("i", "v")
        table = self.bind("M", dict(node.enum._value2member_map_))
        self.checks.append(f'if {name} not in {table}: raise WireError(f"{{{name}}} is no {node.enum.__name__}")')
        return f"{table}[{name}]"

    def optional(self, node: Optional) -> str:
        """A flag that ends the run, and what it announces."""
        flag, value = self.word(), self.fresh("o")
        self.flush()
        with self.block(f"if {flag} == 1:"):
            inner = self.item(node.item)
            self.flush()
            self.line(f"{value} = {inner}")
        self.fail_if(f"{flag} > 1", f"flag {{{flag}}} is neither 0 nor 1")
        self.line(f"if not {flag}: {value} = None")
        return value

    def array(self, node: Array) -> str:
        """A list; plain numbers with one unpack, anything else with a loop."""
        if isinstance(node.limit, Length):
            self.flush()
            count = str(node.limit.size)
        else:
            count = self.count(node.limit.size, smallest(node.item))
        values = self.fresh("l")
        if isinstance(node.item, Number) and node.item.high is None:
            self.line(f"{values} = list(unpack_from(f'>{{{count}}}{node.item.code}', data, at))")
            self.line(f"at += {count} * {node.item.size}")
            return values
        self.line(f"{values} = []")
        with self.block(f"for _ in range({count}):"):
            inner = self.item(node.item)
            self.flush()
            self.line(f"{values}.append({inner})")
        return values

    def choice(self, node: Choice) -> str:
        """A union: the discriminant ends the run, each arm is a branch."""
        tag, value = self.word("i", "t"), self.fresh("u")
        self.flush()
        head = "if"
        for number, _, item in node.arms:
            with self.block(f"{head} {tag} == {number}:"):
                inner = self.item(item)
                self.flush()
                self.line(f"{value} = {inner}")
            head = "elif"
        self.line(f'else: raise WireError(f"union without an arm for {{{tag}}}")')
        return f"new({self.bind('C', node.cls)}, ({tag}, {value}))"
