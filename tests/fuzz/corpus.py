# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packets that fuzzing starts from: recorded ones, and one of each procedure that was not recorded."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from virtproxy.protocol import admin, keepalive, programs, remote
from virtproxy.protocol.schema import Program
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    HEADER,
    MESSAGE,
    OK,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
    pack,
)

RECORDED = Path(__file__).parents[1] / "data" / "packets.jsonl"
PROGRAMS: dict[int, Program] = {**programs.BY_NUMBER, admin.PROGRAM.number: admin.PROGRAM,
                                keepalive.PROGRAM.number: keepalive.PROGRAM}  # fmt: skip
# Zeros are valid arguments of most procedures: empty strings and lists, flags 0.
BLANK = bytes(96)
LONGEST = 8192


@functools.cache
def packets() -> tuple[bytes, ...]:
    """Every packet to start from, with its length word; long ones are left out: they only cost time."""
    lines = map(json.loads, RECORDED.read_text().splitlines())
    recorded = [bytes.fromhex(line["packet"]) for line in lines]
    kept = [packet for packet in recorded if len(packet) <= LONGEST]
    known = {HEADER.unpack_from(packet)[1:5] for packet in kept}
    return (*kept, *(packet for packet in _blank() if HEADER.unpack_from(packet)[1:5] not in known))


@functools.cache
def to_server() -> tuple[bytes, ...]:
    """What a client sends; the goodbye is left out, which would end every conversation."""
    goodbye = remote.CONNECT_CLOSE
    kinds = (CALL, CALL_WITH_FDS, STREAM, STREAM_HOLE)
    heads = ((packet, HEADER.unpack_from(packet)) for packet in packets())
    kept = tuple(p for p, head in heads if head[4] in kinds and (head[1], head[3]) != (goodbye.program.number, 2))
    return (*kept, *_uploads() * 50)


def _uploads() -> list[bytes]:
    """An upload of few and of large packets, to have more of it than was recorded."""
    opening = remote.STORAGE_VOL_UPLOAD
    volume = remote.NonnullStorageVol(pool="default-pool", name="v", key="/v")
    args = remote.StorageVolUploadArgs(vol=volume, offset=0, length=0, flags=1)
    sizes = (0, 100, 20_000, 70_000)
    stream = [pack(opening.program.number, 1, opening.number, STREAM, 1, CONTINUE, bytes(size)).raw for size in sizes]
    return [opening.call_frame(1, args).raw, *stream]


@functools.cache
def to_client() -> tuple[bytes, ...]:
    """What a server sends."""
    kinds = (REPLY, REPLY_WITH_FDS, MESSAGE, STREAM, STREAM_HOLE)
    return tuple(packet for packet in packets() if HEADER.unpack_from(packet)[4] in kinds)


def _blank() -> list[bytes]:
    made = []
    for program in PROGRAMS.values():
        for number, procedure in program.procedures.items():
            kinds = (MESSAGE,) if procedure.event else (CALL, REPLY)
            made += [pack(program.number, program.version, number, kind, 1, OK, BLANK).raw for kind in kinds]
    return made
