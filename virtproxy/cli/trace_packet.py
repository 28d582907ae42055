# SPDX-License-Identifier: LGPL-2.1-or-later
"""One message of the protocol as somebody saw it pass, and what it says without its secrets.

Made by ``trace_tcp`` of recorded traffic and by ``trace_live`` of what a daemon shows; ``trace_calls`` puts calls and
answers together, ``trace_write`` writes them. Whatever is shown or written passes ``Said``, where secrets are masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from virtproxy.access.audit.arguments import KINDS
from virtproxy.access.audit.text import digits_of
from virtproxy.access.masking import masked, scrubbed
from virtproxy.protocol import admin, keepalive, lxc, net, qemu, remote
from virtproxy.protocol.schema import Procedure, decode_error
from virtproxy.wire.codec import Struct, WireError, decode
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    ERROR,
    HEADER,
    MESSAGE,
    OK,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
    Frame,
)
from virtproxy.wire.limits import PACKET_MAX, PACKET_MIN

PROGRAMS = {module.PROGRAM.number: module.PROGRAM for module in (remote, qemu, lxc, admin, keepalive)}
CALLS = (CALL, CALL_WITH_FDS)
REPLIES = (REPLY, REPLY_WITH_FDS)


class Packet(NamedTuple):
    """``time`` in seconds since 1970; ``client`` the connection's number, ``subject`` who it is, as far as known.

    The frame holds less than its length word says where whoever recorded it cut it; it has no descriptors.
    """

    time: float
    client: int
    subject: str
    from_client: bool
    frame: Frame


def is_start(data: bytes | bytearray) -> bool:
    """Whether a message may begin like this: its first 28 bytes are a header of a program that we know."""
    if len(data) < PACKET_MIN:
        return False
    length, program, version, _, kind, _, status = map(int, HEADER.unpack_from(data))
    known = PROGRAMS.get(program)
    if known is None or known.version != version or not PACKET_MIN <= length <= PACKET_MAX:
        return False
    return kind <= STREAM_HOLE and OK <= status <= CONTINUE


def frame_of(raw: bytes) -> Frame:
    """A frame of a message's bytes, of which there are 28 at least."""
    return Frame(raw, *HEADER.unpack_from(raw)[1:])


def size_of(frame: Frame) -> int:
    """How many bytes the message had on the wire, descriptors aside."""
    return int.from_bytes(frame.raw[:4], "big")


def procedure_of(frame: Frame) -> Procedure[Any, Any] | None:
    """What the message is about, None if we do not know it."""
    program = PROGRAMS.get(frame.program)
    return None if program is None else program.procedures.get(frame.procedure)


def name_of(frame: Frame) -> str:
    """The procedure's name; those that are not of the remote program have its name in front: qemu:DOMAIN_ATTACH."""
    procedure = procedure_of(frame)
    if procedure is None:
        return f"{frame.program:#x}:{frame.procedure}"
    return procedure.name if procedure.program is remote.PROGRAM else f"{procedure.program.name}:{procedure.name}"


@dataclass(slots=True)
class Said:
    """What a message carries, masked: a value of the declared type, an error, or a number of bytes.

    ``problem`` says why it could not be read; then nothing of it is known. ``secrets`` were in it.
    """

    value: Struct | None = None
    error: net.NetError | None = None
    data: int | None = None
    problem: str = ""
    secrets: list[str] = field(default_factory=list)


def said(frame: Frame, secrets: list[str] | None = None) -> Said:
    """Read a message; ``secrets`` are those of the call that it answers, which an error may repeat."""
    try:
        return _said(frame, secrets or [])
    except WireError as failure:
        if len(frame.raw) < size_of(frame):
            return Said(problem=f"only {len(frame.raw)} of {size_of(frame)} bytes were recorded")
        return Said(problem=f"it cannot be read: {type(failure).__name__} in {name_of(frame)}")


def _said(frame: Frame, secrets: list[str]) -> Said:
    if frame.status == ERROR:
        return Said(error=_error(decode_error(frame), secrets))
    if frame.type == STREAM:
        return Said(data=size_of(frame) - PACKET_MIN)
    if frame.type == STREAM_HOLE:
        return Said(value=decode(net.StreamHole, frame.raw, PACKET_MIN))
    procedure = procedure_of(frame)
    if procedure is None:
        return Said(data=size_of(frame) - PACKET_MIN)
    is_args = frame.type in (*CALLS, MESSAGE)
    value = procedure.decode_args(frame) if is_args else procedure.decode_ret(frame)
    found = Said()
    if value is not None:
        found.value = masked(value, found.secrets)
    return found


def _error(error: net.NetError, secrets: list[str]) -> net.NetError:
    members = {name: getattr(error, name) for name in type(error).__match_args__}
    for name in ("message", "str1", "str2", "str3"):
        if members[name] is not None:
            members[name] = scrubbed(members[name], secrets)
    return net.NetError(**members)


def objects_of(value: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and name, and kind and UUID, of each object that a value names, the outermost first."""
    if isinstance(value, list):
        for item in value:
            yield from objects_of(item)
    elif isinstance(value, Struct):
        kind = KINDS.get(type(value).__name__)
        for name in type(value).__match_args__:
            item = getattr(value, name)
            if kind is not None and name in ("name", "portdev", "key", "usage_id") and isinstance(item, str):
                yield kind, item
            elif name == "uuid" and isinstance(item, bytes):
                yield kind or "uuid", digits_of(item)
            elif kind is None and name == "name" and isinstance(item, str):
                yield "name", item
            else:
                yield from objects_of(item)
