# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes encoders: from a plan to the text of a function ``encode(value)`` that returns the parts to join.

Used by ``codec``. The text refuses what a peer would refuse (too long, wrong type, a NUL inside a string); a number
that does not fit is ``struct.error``, which ``codec`` translates.
"""

from __future__ import annotations

import struct
from typing import Any

from virtproxy.wire.plan import Array, Choice, Member, Node, Opaque, Optional, Record, Text
from virtproxy.wire.words import FIELDS, KEPT_LENGTH, word, words
from virtproxy.wire.writer import Writer
from virtproxy.wire.xdr import Chars, Length, Max, Number


class Encoder(Writer):
    """Writes statements that append the bytes of an item to the list ``out``."""

    def __init__(self) -> None:
        super().__init__()
        self.names.update(pack=struct.pack, words=words, word=word)

    def function(self, node: Node) -> tuple[str, dict[str, Any]]:
        """Return the text of the encoder of ``node`` and the names it sees."""
        self.item(node, "value")
        self.flush()
        head = ["def encode(value):", "    out = []; put = out.append"]
        return "\n".join([*head, *self.lines, "    return out"]), self.names

    def item(self, node: Node, value: str) -> None:
        """Write what encodes the local ``value``."""
        match node:
            case Number():
                self.number(node, value)
            case Text():
                self.text(node, value)
            case Opaque():
                self.opaque(node, value)
            case Chars():
                self.chars(node, value)
            case Member():
                self.member(node, value)
            case Optional():
                self.optional(node, value)
            case Array():
                self.array(node, value)
            case Record():
                self.record(node, value)
            case Choice():
                self.choice(node, value)

    def flush(self) -> None:
        """Write the run: one pack for all of it."""
        if self.run:
            _, name, items = self.take_run()
            self.line(f"put({name}.pack({', '.join(items)}))")

    def number(self, node: Number, value: str) -> None:
        """A number joins the run; a narrow one is checked first."""
        if node.low is not None and node.high is not None:
            self.fail_if(f"not {node.low} <= {value} <= {node.high}", f"number {{{value}}} is out of range")
        self.run.append((node.code, value))

    def count(self, value: str, limit: Max | Length) -> str:
        """Check a length; one that is sent ends the run."""
        if isinstance(limit, Length):
            self.fail_if(f"len({value}) != {limit.size}", f"{{len({value})}} items, not {limit.size}")
            return str(limit.size)
        count = self.fresh("n")
        self.line(f"{count} = len({value})")
        self.fail_if(f"{count} > {limit.size}", f"count {{{count}}} is over the limit of {limit.size}")
        self.run.append(("I", count))
        self.flush()
        return count

    def padded(self, raw: str, count: str) -> None:
        """The bytes and zeros up to a multiple of four."""
        self.line(f"put({raw})")
        self.line(f"if {count} & 3: put(PADS[-{count} & 3])")

    def text(self, node: Text, value: str) -> None:
        """A string; surrogates go out as the bytes they came from."""
        raw = self.fresh("b")
        self.line(f"{raw} = {value}.encode('utf-8', 'surrogateescape')")
        self.fail_if(f"0 in {raw}", "a NUL byte inside a string")
        self.padded(raw, self.count(raw, Max(node.maximum)))

    def word(self, node: Text, value: str) -> None:
        """A string that is a name: it has likely been sent before."""
        self.flush()
        kept = self.fresh("b")
        self.line(f"{kept} = words.get({value})")
        self.line(f"put(word({value}, {node.maximum}) if {kept} is None else {kept})")

    def opaque(self, node: Opaque, value: str) -> None:
        """Bytes; a fixed whole number of words joins the run."""
        self.expect(value, "bytes")
        count = self.count(value, node.limit)
        if isinstance(node.limit, Length) and node.limit.size % 4 == 0:
            self.run.append((f"{count}s", value))
            return
        self.flush()
        self.padded(value, count)

    def chars(self, node: Chars, value: str) -> None:
        """An array of ``char``: each byte as a word with the byte's sign."""
        self.expect(value, "bytes")
        count = self.count(value, node.limit)
        self.flush()
        self.line(f"put(pack(f'>{{{count}}}i', *memoryview({value}).cast('b')))")

    def member(self, node: Member, value: str) -> None:
        """An enum member, or its number."""
        table = self.bind("M", dict(node.enum._value2member_map_))
        self.fail_if(f"{value} not in {table}", f"{{{value}}} is no {node.enum.__name__}")
        self.run.append(("i", value))

    def optional(self, node: Optional, value: str) -> None:
        """A flag, and the item where there is one."""
        self.flush()
        with self.block(f"if {value} is None:"):
            self.run.append(("I", "0"))
            self.flush()
        with self.block("else:"):
            self.run.append(("I", "1"))
            self.item(node.item, value)
            self.flush()

    def array(self, node: Array, value: str) -> None:
        """A list (or tuple); plain numbers with one pack, anything else with a loop."""
        self.fail_if(f"not isinstance({value}, (list, tuple))", f"a list is needed, not {{type({value}).__name__}}")
        count = self.count(value, node.limit)
        self.flush()
        if isinstance(node.item, Number) and node.item.high is None:
            self.line(f"put(pack(f'>{{{count}}}{node.item.code}', *{value}))")
            return
        one = self.fresh("i")
        with self.block(f"for {one} in {value}:"):
            self.item(node.item, one)
            self.flush()

    def record(self, node: Record, value: str) -> None:
        """A struct: its fields one after another."""
        self.expect(value, self.bind("C", node.cls))
        fields = [self.fresh("f") for _ in node.fields]
        self.line(f"{', '.join(fields)}, = {value}")
        for field, (name, item) in zip(fields, node.fields, strict=True):
            if isinstance(item, Text) and name in FIELDS and item.maximum >= KEPT_LENGTH:
                self.word(item, field)
            else:
                self.item(item, field)

    def choice(self, node: Choice, value: str) -> None:
        """A union: the discriminant and its arm."""
        self.flush()
        self.expect(value, self.bind("C", node.cls))
        tag, chosen = self.fresh("t"), self.fresh("f")
        self.line(f"{tag}, {chosen} = {value}")
        head = "if"
        for number, _, item in node.arms:
            with self.block(f"{head} {tag} == {number}:"):
                self.run.append(("i", tag))
                self.item(item, chosen)
                self.flush()
            head = "elif"
        self.line(f'else: raise WireError(f"union without an arm for {{{tag}}}")')

    def expect(self, value: str, cls: str) -> None:
        """Exactly this class: a struct of another name may have the same bytes and another meaning."""
        self.fail_if(f"type({value}) is not {cls}", f"{{{cls}.__name__}} is needed, not {{type({value}).__name__}}")
