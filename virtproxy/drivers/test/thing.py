# SPDX-License-Identifier: LGPL-2.1-or-later
"""What networks and storage pools of the pretended host have in common, and what their lists filter by."""

from __future__ import annotations

from collections.abc import Iterable

from virtproxy.driver import ErrorCode, ErrorDomain, VirtError


class Thing:
    """An object with a name and UUID that runs or not, starts by itself or not, and outlives a stop or not."""

    def __init__(self, name: str, uuid: bytes, *, persistent: bool, active: bool) -> None:
        self.name = name
        self.uuid = uuid
        self.persistent = persistent
        self.active = active
        self.autostart = False

    def passes(self, flags: int) -> bool:
        """Whether a list's flags let it pass."""
        pairs = ((2, 1, self.active), (4, 8, self.persistent), (16, 32, self.autostart))
        return passes(flags, pairs)


def passes(flags: int, pairs: Iterable[tuple[int, int, bool]]) -> bool:
    """Whether list flags let a thing pass; each pair is the bit if true, the bit if false, and which it is."""
    for yes, no, truth in pairs:
        given = flags & (yes | no)
        if given and not given & (yes if truth else no):
            return False
    return True


def invalid(detail: str, domain: ErrorDomain = ErrorDomain.TEST) -> VirtError:
    """The operation does not fit the object's state."""
    return VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=domain)
