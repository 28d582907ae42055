# SPDX-License-Identifier: LGPL-2.1-or-later
"""What real libvirt clients and daemons said to each other decodes to the last byte and encodes to the same bytes.

The packets were recorded with tests/support/record.py.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from virtproxy.protocol import admin, keepalive, lxc, net, qemu, remote
from virtproxy.protocol.schema import Procedure, decode_error, error_frame
from virtproxy.wire.codec import decode_exact, encode
from virtproxy.wire.frame import ERROR, STREAM, Frame
from virtproxy.wire.framer import Framer

PROGRAMS = {module.PROGRAM.name: module.PROGRAM for module in (remote, qemu, lxc, admin, keepalive)}
FILE = Path(__file__).parent.parent / "data" / "packets.jsonl"
RECORDED: dict[str, list[tuple[str, Procedure[Any, Any], bytes]]] = defaultdict(list)
for line in FILE.read_text().splitlines():
    row = json.loads(line)
    program = PROGRAMS[row["program"]]
    procedure = next(one for one in program.procedures.values() if one.name == row["procedure"])
    RECORDED[f"{row['program']}-{row['procedure']}"].append((row["kind"], procedure, bytes.fromhex(row["packet"])))


def frame_of(packet: bytes) -> Frame:
    """The packet as a frame, with as many descriptors as it says."""
    framer = Framer()
    if int.from_bytes(packet[16:20], "big") in (4, 5):
        count = int.from_bytes(packet[28:32], "big")
        framer.add_fds(list(range(count)))
        packet += bytes(count)
    (frame,) = framer.feed(packet)
    return frame


def again(kind: str, procedure: Procedure[Any, Any], frame: Frame) -> Frame:
    """The frame decoded and made anew."""
    if frame.status == ERROR:
        error = decode_error(frame)
        return error_frame(frame.program, frame.version, frame.procedure, frame.serial, error, frame.type)
    if kind == "event":
        return procedure.event_frame(procedure.decode_args(frame), frame.serial)
    if kind.startswith("call"):
        return procedure.call_frame(frame.serial, procedure.decode_args(frame), frame.fds)
    return procedure.reply_frame(frame.serial, procedure.decode_ret(frame), frame.fds)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_packets_come_out_the_same(name: str) -> None:
    for kind, procedure, packet in RECORDED[name]:
        frame = frame_of(packet)
        assert (frame.program, frame.procedure) == (procedure.program.number, procedure.number)
        if kind == "stream hole":
            hole = decode_exact(net.StreamHole, frame.payload)
            assert encode(hole) == frame.payload
        elif frame.type == STREAM and frame.status != ERROR:
            assert procedure.stream
        else:
            assert again(kind, procedure, frame).raw == packet


def test_the_recording_is_wide() -> None:
    kinds = Counter(kind for packets in RECORDED.values() for kind, _, _ in packets)
    assert kinds["call"] > 350
    assert kinds["reply"] > 350
    assert kinds["event"] > 25
    assert min(kinds[kind] for kind in ("error", "stream", "stream hole", "call with fds", "reply with fds")) > 0


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("remote-DOMAIN_LOOKUP_BY_NAME", "call", "DomainLookupByNameArgs(name='demo')"),
        ("remote-CONNECT_OPEN", "call", "ConnectOpenArgs(name='qemu:///system', flags=0)"),
        (
            "admin-SERVER_SET_CLIENT_LIMITS",
            "call",
            "ServerSetClientLimitsArgs(srv=NonnullServer(name='libvirtd'),"
            " params=[TypedParam(field='nclients_max', value=TypedParamValue(type=2, value=5001))], flags=0)",
        ),
        ("keepalive-PING", "event", "None"),
    ],
)
def test_meaning_of_a_few(name: str, kind: str, value: str) -> None:
    found = [repr(procedure.decode_args(frame_of(raw))) for k, procedure, raw in RECORDED[name] if k == kind]
    assert value in found
