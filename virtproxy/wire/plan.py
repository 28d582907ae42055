# SPDX-License-Identifier: LGPL-2.1-or-later
"""From annotations to a plan: the tree of wire items of a declared type.

Called by ``codec`` when a type is first used, and by whoever wants to walk a declaration. It reads annotations and
makes no code. A declaration that has no wire form is a mistake of ours and raises TypeError.
"""

from __future__ import annotations

import types
import typing
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, NamedTuple

from virtproxy.wire.value import Struct, Union
from virtproxy.wire.xdr import Chars, Length, Max, Number


class Text(NamedTuple):
    """A counted string of at most ``maximum`` bytes."""

    maximum: int


class Opaque(NamedTuple):
    """Bytes: exactly or at most ``limit``."""

    limit: Max | Length


class Member(NamedTuple):
    """One of the members of an enum."""

    enum: type[IntEnum]


class Optional(NamedTuple):
    """A flag, and the item if the flag is one."""

    item: Node


class Array(NamedTuple):
    """Exactly or at most ``limit`` items."""

    item: Node
    limit: Max | Length


class Record(NamedTuple):
    """The fields of a struct in order."""

    cls: type[Struct]
    fields: tuple[tuple[str, Node], ...]


class Choice(NamedTuple):
    """A union: for each value of the discriminant the arm's name and item."""

    cls: type[Union]
    arms: tuple[tuple[int, str, Node], ...]


Node = Number | Chars | Text | Opaque | Member | Optional | Array | Record | Choice


@cache
def plan_of(cls: type[Struct]) -> Record | Choice:
    """Return the plan of a struct or union."""
    if issubclass(cls, Union):
        return Choice(cls, tuple((tag, name, _node(hint, ())) for tag, (name, hint) in cls.arms.items()))
    hints = typing.get_type_hints(cls, include_extras=True)
    return Record(cls, tuple((name, _node(hints[name], ())) for name in cls.__match_args__))


def smallest(node: Node) -> int:
    """Return the fewest bytes the item takes on the wire: what a count is checked against before anything is made."""
    match node:
        case Number():
            return node.size
        case Text() | Member() | Optional():
            return 4
        case Chars(Length(size)):
            return 4 * size
        case Opaque(Length(size)):
            return -(-size // 4) * 4
        case Array(item, Length(size)):
            return smallest(item) * size
        case Record():
            return sum(smallest(item) for _, item in node.fields)
        case Choice():
            return 4 + min(smallest(item) for _, _, item in node.arms)
        case _:
            return 4


def _node(hint: Any, notes: tuple[Any, ...]) -> Node:
    if typing.get_origin(hint) is Annotated:
        return _node(hint.__origin__, hint.__metadata__)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return plan_of(hint)
    for note in notes:
        if isinstance(note, Number | Chars):
            return note
    limit = next((note for note in notes if isinstance(note, Max | Length)), None)
    return _composite(hint, limit)


def _composite(hint: Any, limit: Max | Length | None) -> Node:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType) and arguments[1:] == (type(None),):
        return Optional(_node(arguments[0], ()))
    if isinstance(hint, type) and issubclass(hint, IntEnum):
        return Member(hint)
    if hint is str and isinstance(limit, Max):
        return Text(limit.size)
    if hint is bytes and limit is not None:
        return Opaque(limit)
    if typing.get_origin(hint) is list and limit is not None:
        return Array(_node(arguments[0], ()), limit)
    raise TypeError(f"no wire form for {hint!r} with limit {limit}")
