# SPDX-License-Identifier: LGPL-2.1-or-later
"""The events that one client asked one daemon for, so that they can be asked for again when the daemon was restarted.

The relay has one for each backend. A restarted daemon gives other callback ids than the client knows: from then on
the ids in events, deregistrations and answers are put into each other's words. Until then nothing is rewritten.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from virtproxy.errors import VirtError
from virtproxy.protocol import programs
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.answers import reply_to, settled
from virtproxy.rpc.client import ConnectionClosed
from virtproxy.wire.codec import WireError, encode
from virtproxy.wire.frame import ERROR, Frame, pack

# Makes a call of our own on the connection to the daemon.
Ask = Callable[[Procedure[Any, Any], Any], Deferred[Any]]
# What tells two registrations of a client apart: the space its id is from, and the id.
Key = tuple[int, int]
_ID = struct.Struct(">i")
# Registrations of the oldest kind have no id: there is one at most.
_NO_ID = 0
# An id that no daemon gives.
_NOBODYS = -1
# A thing that is gone has no events any more: nobody misses them.
_GONE = {
    ErrorCode.NO_DOMAIN, ErrorCode.NO_NETWORK, ErrorCode.NO_STORAGE_POOL, ErrorCode.NO_NODE_DEVICE, ErrorCode.NO_SECRET,
}  # fmt: skip
# Where an id is: in the answer to a registration, in its arguments, nowhere.
_ANSWERED, _ASKED = "callback_id", "event_id"


def _fields(declared: Any) -> tuple[str, ...]:
    return declared.__match_args__ if declared is not None else ()


def _spaces() -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], int], dict[tuple[int, int], int]]:
    """The id space of each registration, deregistration and event, by program and procedure."""
    registers: dict[tuple[int, int], int] = {}
    leaves: dict[tuple[int, int], int] = {}
    events: dict[tuple[int, int], int] = {}
    numbers: dict[tuple[int, str, str], int] = {}
    for program in programs.BY_NUMBER.values():
        for number, procedure in program.procedures.items():
            where = (program.number, number)
            fields = _fields(procedure.args) + _fields(procedure.ret)
            id_field = next((name for name in (_ANSWERED, _ASKED) if name in fields), "")
            space = numbers.setdefault((program.number, procedure.family.value, id_field), len(numbers))
            if procedure.edge == "event-register":
                registers[where] = space
            elif procedure.edge == "event-deregister":
                leaves[where] = space
            elif procedure.event and id_field == _ANSWERED:
                events[where] = space
    return registers, leaves, events


_REGISTERS, _LEAVES, _EVENTS = _spaces()
# The numbers of the procedures that `sent` must be shown; a look at one number is all that other calls pay.
NOTED: frozenset[int] = frozenset(number for _, number in (*_REGISTERS, *_LEAVES))


@dataclass(slots=True)
class _Registration:
    """`theirs` is the daemon's id for it now; None if the daemon refuses to take it again."""

    procedure: Procedure[Any, Any]
    args: Any
    theirs: int | None


class Registrations:
    """`pending` has the calls on their way, by serial: while there are none, no answer need be shown to `answered`.

    `translates` says whether events must be shown to `event`.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.pending: dict[int, Frame] = {}
        self.translates = False
        self._known: dict[Key, _Registration] = {}
        # The client's id for each of the daemon's.
        self._ours: dict[Key, int] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def sent(self, frame: Frame) -> Frame | None:
        """Take note of a call with a number in NOTED; returns it as the daemon must get it.

        None if it gives up what the daemon does not know any more: then `gone` answers it.
        """
        where = (frame.program, frame.procedure)
        if where in _REGISTERS:
            self.pending[frame.serial] = frame
        elif where in _LEAVES:
            known = self._known.get(_key(_LEAVES, frame))
            if known is not None and known.theirs is None:
                return None
            self.pending[frame.serial] = frame
            if self.translates and _has(_ANSWERED, frame):
                return _with_id(frame, _NOBODYS if known is None or known.theirs is None else known.theirs)
        return frame

    def gone(self, frame: Frame) -> Frame | None:
        """The answer to a call that gives up events of a daemon that is gone: it succeeded. None for other calls."""
        self.pending.pop(frame.serial, None)
        if (frame.program, frame.procedure) not in _LEAVES or self._known.pop(_key(_LEAVES, frame), None) is None:
            return None
        procedure = _procedure(frame)
        return reply_to(frame, encode(procedure.ret(0)) if procedure.ret is not None else b"")

    def answered(self, frame: Frame) -> Frame:
        """Take note of an answer while something is pending; returns it as the client must get it."""
        call = self.pending.pop(frame.serial, None)
        if call is None or frame.status == ERROR:
            return frame
        if (call.program, call.procedure) in _LEAVES:
            self._forget(_key(_LEAVES, call))
            return frame
        return self._registered(call, frame)

    def _registered(self, call: Frame, reply: Frame) -> Frame:
        space = _REGISTERS[call.program, call.procedure]
        by_answer = _has(_ANSWERED, call)
        theirs = _id_of(reply) if by_answer else _key(_REGISTERS, call)[1]
        try:
            args = _procedure(call).decode_args(call)
        except WireError as failure:
            self._log.warn("events cannot be asked for again after a restart: {why}", why=str(failure))
            return reply
        ours = self._free(space, theirs) if by_answer else theirs
        self._known[space, ours] = _Registration(_procedure(call), args, theirs)
        self._ours[space, theirs] = ours
        if ours == theirs:
            return reply
        self.translates = True
        return _with_id(reply, ours)

    def _free(self, space: int, wanted: int) -> int:
        """An id that the client does not know another registration by."""
        if (space, wanted) not in self._known:
            return wanted
        return max(ours for where, ours in self._known if where == space) + 1

    def _forget(self, key: Key) -> None:
        known = self._known.pop(key, None)
        if known is not None and known.theirs is not None:
            self._ours.pop((key[0], known.theirs), None)

    def event(self, frame: Frame) -> Frame | None:
        """An event with the id as the client knows it; None if it is of no registration of the client's."""
        space = _EVENTS.get((frame.program, frame.procedure))
        if space is None:
            return frame
        theirs = _id_of(frame)
        ours = self._ours.get((space, theirs))
        if ours is None:
            return None
        return frame if ours == theirs else _with_id(frame, ours)

    async def renew(self, ask: Ask) -> list[VirtError]:
        """Ask a restarted daemon for the same events again; returns what it refused, but for things that are gone.

        Raises ConnectionClosed. All are asked for at once.
        """
        self.pending.clear()
        asked = [(known, settled(ask(known.procedure, known.args))) for known in self._known.values()]
        refused = []
        for known, answer in asked:
            result = await answer
            if isinstance(result, ConnectionClosed):
                raise result
            if isinstance(result, VirtError):
                known.theirs = None
                refused += [] if result.code in _GONE else [result]
            elif known.theirs is None or hasattr(result, _ANSWERED):
                known.theirs = getattr(result, _ANSWERED, getattr(known.args, _ASKED, _NO_ID))
        self._ours = {
            (space, known.theirs): ours for (space, ours), known in self._known.items() if known.theirs is not None
        }
        self.translates = any(theirs != ours for (_, theirs), ours in self._ours.items())
        return refused


def _procedure(frame: Frame) -> Procedure[Any, Any]:
    return programs.BY_NUMBER[frame.program].procedures[frame.procedure]


def _has(field: str, frame: Frame) -> bool:
    procedure = _procedure(frame)
    return field in _fields(procedure.args) + _fields(procedure.ret)


def _key(spaces: Mapping[tuple[int, int], int], frame: Frame) -> Key:
    """Which registration a call speaks of by its first argument, if it has one."""
    space = spaces[frame.program, frame.procedure]
    return space, _id_of(frame) if _fields(_procedure(frame).args) else _NO_ID


def _id_of(frame: Frame) -> int:
    """The first number of a packet; nobody's id if it has none."""
    payload = frame.payload
    return int(_ID.unpack_from(payload)[0]) if len(payload) >= _ID.size else _NOBODYS


def _with_id(frame: Frame, number: int) -> Frame:
    payload = _ID.pack(number) + bytes(frame.payload[_ID.size :])
    return pack(
        frame.program, frame.version, frame.procedure, frame.type, frame.serial, frame.status, payload, frame.fds
    )
