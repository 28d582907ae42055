# SPDX-License-Identifier: LGPL-2.1-or-later
"""What networks and storage pools of the pretended host have in common, and what their lists filter by."""

from __future__ import annotations

from typing import Any

from virtproxy.driver import ErrorCode, ErrorDomain, ListFlags, VirtError, either


class Thing:
    """An object with a name and UUID that runs or not, starts by itself or not, and outlives a stop or not."""

    def __init__(self, name: str, uuid: bytes, *, persistent: bool, active: bool) -> None:
        self.name = name
        self.uuid = uuid
        self.persistent = persistent
        self.active = active
        self.autostart = False


# What lists of them filter by.
THINGS: ListFlags[Any] = ListFlags(
    either(2, 1, lambda thing: thing.active),
    either(4, 8, lambda thing: thing.persistent),
    either(16, 32, lambda thing: thing.autostart),
)


def invalid(detail: str, domain: ErrorDomain = ErrorDomain.TEST) -> VirtError:
    """The operation does not fit the object's state."""
    return VirtError.of(ErrorCode.OPERATION_INVALID, detail, domain=domain)
