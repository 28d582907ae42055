# SPDX-License-Identifier: LGPL-2.1-or-later
"""The insight program, virtproxy's own: who is connected, which calls are in flight, and packets as they pass.

Served on the admin socket beside the admin program; ``virtproxy top`` and ``virtproxy trace`` are its clients. Its
number spells "vpin", far from those of libvirt's programs.
"""

from __future__ import annotations

from typing import Annotated

from virtproxy.protocol.net import NonnullString
from virtproxy.protocol.schema import NOT_APPLICABLE, Family, Program
from virtproxy.wire.limits import PACKET_MAX
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Bool, Int, Max, UHyper, UInt

PROGRAM = Program(0x7670696E, 1, "insight", Family.DAEMON)
procedure = PROGRAM.procedure

CLIENT_LIST_MAX = 65536
CALL_LIST_MAX = 65536
PACKET_LIST_MAX = 65536


class Client(Struct):
    """``subject`` is who it is, in words: "uid:0 user:root pid:17"; ``connected`` is in milliseconds since then."""

    number: UHyper
    subject: NonnullString
    transport: NonnullString
    connected: UHyper
    in_flight: UInt


class ListClientsRet(Struct):
    clients: Annotated[list[Client], Max(CLIENT_LIST_MAX)]


LIST_CLIENTS = procedure(1, "LIST_CLIENTS", None, ListClientsRet, readonly=NOT_APPLICABLE, acl=())


class RunningCall(Struct):
    """A call without an answer. ``age`` is in milliseconds, and may be a second or so too small.

    ``place`` is what it waits for: a daemon and its socket, a driver, or a word. ``object`` is empty if it names none.
    """

    client: UHyper
    program: UInt
    procedure: Int
    serial: UInt
    age: UHyper
    place: NonnullString
    object: NonnullString


class ListCallsRet(Struct):
    """The oldest first; ``total`` counts those too that did not fit."""

    calls: Annotated[list[RunningCall], Max(CALL_LIST_MAX)]
    total: UInt


LIST_CALLS = procedure(2, "LIST_CALLS", None, ListCallsRet, readonly=NOT_APPLICABLE, acl=())


class TraceStartArgs(Struct):
    """``client`` is a number, 0 for all; of a packet at most ``size`` bytes are kept."""

    client: UHyper
    size: UInt


class TraceStartRet(Struct):
    """The number of the trace, which ends when nobody asks for its packets any more."""

    trace: UHyper


TRACE_START = procedure(3, "TRACE_START", TraceStartArgs, TraceStartRet, readonly=NOT_APPLICABLE, acl=())


class TracedPacket(Struct):
    """``time`` is in microseconds since 1970; ``data`` may be less than the packet's length word says."""

    time: UHyper
    client: UHyper
    from_client: Bool
    data: Annotated[bytes, Max(PACKET_MAX)]


class TraceNextArgs(Struct):
    trace: UHyper


class TraceNextRet(Struct):
    """``clients`` are those not told of before; ``dropped`` counts from the start of the trace.

    Empty if nothing passed for a moment: then ask again.
    """

    clients: Annotated[list[Client], Max(CLIENT_LIST_MAX)]
    packets: Annotated[list[TracedPacket], Max(PACKET_LIST_MAX)]
    dropped: UHyper


TRACE_NEXT = procedure(4, "TRACE_NEXT", TraceNextArgs, TraceNextRet, readonly=NOT_APPLICABLE, acl=())


class TraceStopArgs(Struct):
    trace: UHyper


TRACE_STOP = procedure(5, "TRACE_STOP", TraceStopArgs, None, readonly=NOT_APPLICABLE, acl=())
