# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all programs share: the packet header, the error payload and the stream hole.

Imported by ``schema`` and by whoever reports an error or moves a sparse stream. The header is declared for
completeness and for tools; the packet path uses ``wire.frame``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from virtproxy.wire.limits import STRING_MAX
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Hyper, Int, Length, Max, UInt

UUID_LENGTH = 16

NonnullString = Annotated[str, Max(STRING_MAX)]
String = NonnullString | None
Uuid = Annotated[bytes, Length(UUID_LENGTH)]


class MessageType(IntEnum):
    """What a packet is: virNetMessageType."""

    CALL = 0
    REPLY = 1
    MESSAGE = 2
    STREAM = 3
    CALL_WITH_FDS = 4
    REPLY_WITH_FDS = 5
    STREAM_HOLE = 6


class MessageStatus(IntEnum):
    """How a packet ends or goes on: virNetMessageStatus."""

    OK = 0
    ERROR = 1
    CONTINUE = 2


class MessageHeader(Struct):
    """The 24 bytes after the length word: virNetMessageHeader."""

    prog: UInt
    vers: UInt
    proc: Int
    type: MessageType
    serial: UInt
    status: MessageStatus


class NetDomain(Struct):
    """The domain an error is about (always absent in practice): virNetMessageNonnullDomain."""

    name: NonnullString
    uuid: Uuid
    id: Int


class NetNetwork(Struct):
    """The network an error is about (always absent in practice): virNetMessageNonnullNetwork."""

    name: NonnullString
    uuid: Uuid


class NetError(Struct):
    """The payload of a reply or stream packet with status ERROR: virNetMessageError."""

    code: Int
    domain: Int
    message: String
    level: Int
    dom: NetDomain | None
    str1: String
    str2: String
    str3: String
    int1: Int
    int2: Int
    net: NetNetwork | None


class StreamHole(Struct):
    """The payload of a STREAM_HOLE packet, ``length`` in bytes: virNetStreamHole."""

    length: Hyper
    flags: UInt
