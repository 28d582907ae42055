# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finds the declaration of a received call, and says beforehand which calls are simply passed on.

The session uses it. The table is what makes the relay fast: a call that needs no thought costs one
look-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from virtproxy import errors
from virtproxy.protocol import programs
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.wire.frame import OK, Frame

FAMILIES = tuple(Family)
Key = tuple[int, int, int]
_INDEX = {family: index for index, family in enumerate(FAMILIES)}
# Edges that are only somebody's business where a driver is; a relay passes them on.
# The lane of a call that waits for nothing.
GOODBYE = -1
_PASSED_ON = {None, "event-register", "event-deregister"}


def index_of(family: Family) -> int:
    """The place of a family in the lists that are kept by family."""
    return _INDEX[family]


def _plain_calls() -> Mapping[Key, int]:
    return {
        (program.number, program.version, number): _INDEX[procedure.family]
        for program in programs.BY_NUMBER.values()
        for number, procedure in program.procedures.items()
        if not procedure.event and not procedure.stream and procedure.edge in _PASSED_ON
    }


# (program, version, procedure) -> index of the family, for every call that needs no thought.
PLAIN: Mapping[Key, int] = _plain_calls()


def is_passed_on(procedure: Procedure[Any, Any]) -> bool:
    """Whether the daemon does not answer calls of `procedure` itself."""
    return procedure.edge in _PASSED_ON


def lane_of(frame: Frame) -> int | None:
    """The place of the family whose backend serves a call; GOODBYE for CONNECT_CLOSE, None for the daemon's own."""
    program = programs.BY_NUMBER.get(frame.program)
    procedure = program.procedures.get(frame.procedure) if program is not None else None
    if procedure is None:
        return None
    if procedure.edge == "close":
        return GOODBYE
    return _INDEX[procedure.family] if is_passed_on(procedure) else None


def procedure_of(frame: Frame) -> Procedure[Any, Any]:
    """The declaration of a call; VirtError, worded as libvirt does, if there is none."""
    program = programs.BY_NUMBER.get(frame.program)
    if program is None or program.version != frame.version:
        raise errors.rpc(f"Cannot find program {frame.program} version {frame.version}")
    if frame.status != OK:
        raise errors.rpc(f"Unexpected message status {frame.status}")
    procedure = program.procedures.get(frame.procedure)
    if procedure is None or procedure.event:
        raise errors.rpc(f"unknown procedure: {frame.procedure}")
    return procedure
