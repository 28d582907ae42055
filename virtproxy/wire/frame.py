# SPDX-License-Identifier: LGPL-2.1-or-later
"""One packet of the wire: its header as integers and its bytes as they came.

The framer makes frames out of received bytes, `pack` makes them for sending. A frame is never
decoded here, and its bytes are never changed: whoever needs another payload packs another frame.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from virtproxy.wire.limits import FD_COUNT_SIZE, FDS_MAX, PACKET_MAX, PACKET_MIN

# Message types. Plain integers: an enum lookup per packet costs more than the rest of the parse.
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
# Status of a message.
OK, ERROR, CONTINUE = range(3)

# length, program, version, procedure, type, serial, status
HEADER = struct.Struct(">IIIiIIi")
_FD_COUNT = struct.Struct(">I")


class Frame:
    """A packet: `raw` is all of it, the length word included; `fds` are open descriptors.

    A large packet that was received is a bytearray, which nobody changes. `sent` and `took` are only there on calls
    that are timed: when one went to who serves it, and how many seconds later the answer came.
    """

    __slots__ = ("fds", "procedure", "program", "raw", "sent", "serial", "status", "took", "type", "version")
    sent: float
    took: float

    def __init__(
        self,
        raw: bytes,
        program: int,
        version: int,
        procedure: int,
        type: int,
        serial: int,
        status: int,
        fds: tuple[int, ...] = (),
    ) -> None:
        self.raw = raw
        self.program = program
        self.version = version
        self.procedure = procedure
        self.type = type
        self.serial = serial
        self.status = status
        self.fds = fds

    @property
    def carries_fds(self) -> bool:
        """Whether the type says that a descriptor count follows the header."""
        return self.type == CALL_WITH_FDS or self.type == REPLY_WITH_FDS

    @property
    def payload(self) -> memoryview:
        """What follows the header (and the descriptor count, where there is one)."""
        start = PACKET_MIN + FD_COUNT_SIZE if self.carries_fds else PACKET_MIN
        return memoryview(self.raw)[start:]

    def __repr__(self) -> str:
        return (
            f"<Frame program={self.program:#x} procedure={self.procedure} type={self.type}"
            f" serial={self.serial} status={self.status} {len(self.raw)} bytes, {len(self.fds)} fds>"
        )


def pack(
    program: int,
    version: int,
    procedure: int,
    type: int,
    serial: int,
    status: int,
    payload: bytes = b"",
    fds: Sequence[int] = (),
) -> Frame:
    """Make a frame to send; ValueError if it would be larger than a peer accepts."""
    count = b""
    if type == CALL_WITH_FDS or type == REPLY_WITH_FDS:
        count = _FD_COUNT.pack(len(fds))
    length = PACKET_MIN + len(count) + len(payload)
    if length > PACKET_MAX:
        raise ValueError(f"a packet of {length} bytes is over the limit of {PACKET_MAX}")
    if len(fds) > FDS_MAX or (fds and not count):
        raise ValueError(f"{len(fds)} descriptors cannot go with a message of type {type}")
    raw = HEADER.pack(length, program, version, procedure, type, serial, status) + count + payload
    return Frame(raw, program, version, procedure, type, serial, status, tuple(fds))
