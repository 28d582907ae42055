# SPDX-License-Identifier: LGPL-2.1-or-later
"""The flags of list calls: which objects a client wants, said in groups of bits.

    GUESTS = ListFlags(
        ((1, lambda guest: guest.active), (2, lambda guest: not guest.active)),
        ...
    )
    call.check_flags(args.flags, GUESTS.bits)
    GUESTS.select(call.visible(self.guests), args.flags)

An object must have one of the properties given of each group; a group of which nothing is given asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
Property = tuple[int, Callable[[T], bool]]


class ListFlags(Generic[T]):
    """Groups of (bit, property)."""

    def __init__(self, *groups: tuple[Property[T], ...]) -> None:
        self._groups = groups
        self.bits = sum(bit for group in groups for bit, _ in group)

    def select(self, things: Iterable[T], flags: int) -> list[T]:
        """Those that the flags ask for, in their order; each group given costs one look at each."""
        chosen = list(things)
        for group in self._groups:
            wanted = [has for bit, has in group if flags & bit]
            if len(wanted) == 1:
                chosen = [thing for thing in chosen if wanted[0](thing)]
            elif wanted:
                chosen = [thing for thing in chosen if any(has(thing) for has in wanted)]
        return chosen


def either(yes: int, no: int, has: Callable[[T], bool]) -> tuple[Property[T], ...]:
    """The usual group: a bit for those that have a property, and one for those that have it not."""
    return ((yes, has), (no, lambda thing: not has(thing)))
