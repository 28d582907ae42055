# SPDX-License-Identifier: LGPL-2.1-or-later
"""The packets that fuzzing starts from: recorded ones, and one of each procedure that was not recorded."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from virtproxy.protocol import admin, keepalive, programs
from virtproxy.protocol.schema import Program
from virtproxy.wire.frame import CALL, HEADER, MESSAGE, OK, REPLY, pack

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


def _blank() -> list[bytes]:
    made = []
    for program in PROGRAMS.values():
        for number, procedure in program.procedures.items():
            kinds = (MESSAGE,) if procedure.event else (CALL, REPLY)
            made += [pack(program.number, program.version, number, kind, 1, OK, BLANK).raw for kind in kinds]
    return made
