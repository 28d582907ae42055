# SPDX-License-Identifier: LGPL-2.1-or-later
"""The moments of a domain that are kept, its snapshots or its checkpoints: a tree, one of them the current one.

Names are unique within one domain. What a moment is beyond its place in the tree is its document's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from virtproxy.documents.domain.moments import MomentDocument
from virtproxy.driver import ErrorCode, ErrorDomain, VirtError

# List flags of both kinds: from the roots (or all descendants), and only those without or with children.
ROOTS = DESCENDANTS = 1
LEAVES, NO_LEAVES = 4, 8


M = TypeVar("M", bound=MomentDocument)


class Moments(Generic[M]):
    """All of one domain, in the order in which they were made."""

    def __init__(self) -> None:
        self._by_name: dict[str, M] = {}
        self.current: M | None = None

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[M]:
        return iter(list(self._by_name.values()))

    def get(self, name: str | None) -> M | None:
        """The moment of that name, or None."""
        return None if name is None else self._by_name.get(name)

    def clear(self) -> None:
        """Forget all."""
        self._by_name, self.current = {}, None

    def add(self, moment: M) -> None:
        """A new moment below the current one, whose place it takes; VirtError OPERATION_FAILED if the name is taken."""
        if moment.name in self._by_name:
            detail = f"domain moment {moment.name} already exists"
            raise VirtError.of(ErrorCode.OPERATION_FAILED, detail, domain=ErrorDomain.DOMAIN)
        moment.parent = None if self.current is None else self.current.name
        self._by_name[moment.name] = self.current = moment

    def redefine(self, moment: M) -> None:
        """Put a moment into the tree as it is described, in place of the one of its name; VirtError INVALID_ARG."""
        here = self.get(moment.parent)
        if moment.parent == moment.name:
            raise _invalid(f"cannot set moment {moment.name} as its own parent")
        if moment.parent is not None and here is None:
            raise _invalid(f"parent {moment.parent} for moment {moment.name} not found")
        while here is not None:
            if here.name == moment.name:
                raise _invalid(f"parent {moment.parent} would create cycle to {moment.name}")
            here = self.get(here.parent)
        if self.current is not None and self.current.name == moment.name:
            self.current = moment
        self._by_name[moment.name] = moment

    def children(self, moment: M | None) -> list[M]:
        """Those directly below; of None, the roots."""
        name = None if moment is None else moment.name
        return [each for each in self if each.parent == name]

    def descendants(self, moment: M | None) -> list[M]:
        """All below."""
        below: dict[str | None, list[M]] = {}
        for each in self:
            below.setdefault(each.parent, []).append(each)
        found: list[M] = []
        waiting = [None if moment is None else moment.name]
        while waiting:
            children = below.get(waiting.pop(), [])
            found += children
            waiting += [child.name for child in children]
        return found

    def listed(self, start: M | None, flags: int, everything: bool, fits: Callable[[M], bool]) -> list[M]:
        """What list flags ask for: below `start`, all of it or one generation."""
        found = self.descendants(start) if everything else self.children(start)
        if flags & (LEAVES | NO_LEAVES) in (LEAVES, NO_LEAVES):
            parents = {each.parent for each in self}
            found = [each for each in found if (each.name in parents) is bool(flags & NO_LEAVES)]
        return [each for each in found if fits(each)]

    def delete(self, moment: M, *, below: bool, itself: bool) -> None:
        """Forget a moment, what is below it, or both; what stays moves up to its parent."""
        doomed = (self.descendants(moment) if below else []) + ([moment] if itself else [])
        for child in self.children(moment):
            child.parent = moment.parent if itself else child.parent
        for each in doomed:
            del self._by_name[each.name]
        if self.current in doomed:
            self.current = self.get(moment.parent) if not below else None if itself else moment


def _invalid(detail: str) -> VirtError:
    return VirtError.of(ErrorCode.INVALID_ARG, detail, domain=ErrorDomain.DOMAIN)
