# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy trace`` of recorded traffic: files, streams, what it shows and what it masks."""

from __future__ import annotations

import io
import json
import random
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from virtproxy.cli import trace_calls
from virtproxy.cli.main import main
from virtproxy.cli.trace_calls import Calls, Exchange
from virtproxy.cli.trace_packet import Packet
from virtproxy.cli.trace_pcap import Captured, captured
from virtproxy.cli.trace_tcp import Streams
from virtproxy.cli.trace_write import Recording
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import error_frame
from virtproxy.wire.frame import CONTINUE, OK, STREAM, Frame, pack

CLIENT, SERVER = bytes((10, 0, 0, 9)), bytes((10, 0, 0, 1))
DOMAIN = remote.NonnullDomain(name="web", uuid=bytes(range(16)), id=3)
LOOKUP = remote.DOMAIN_LOOKUP_BY_NAME.call_frame(5, remote.DomainLookupByNameArgs(name="web"))
FOUND = remote.DOMAIN_LOOKUP_BY_NAME.reply_frame(5, remote.DomainLookupByNameRet(dom=DOMAIN))
PASSWORD = remote.DOMAIN_SET_USER_PASSWORD.call_frame(
    6, remote.DomainSetUserPasswordArgs(dom=DOMAIN, user="root", password="hunter2", flags=0)
)
_NET = VirtError(ErrorCode.OPERATION_FAILED, "hunter2 is too short").to_net()
REFUSED = error_frame(PASSWORD.program, 1, PASSWORD.procedure, 6, _NET)


def segment(data: bytes, sequence: int, *, up: bool, flags: int = 0x18, port: int = 16509) -> bytes:
    """An Ethernet frame with a TCP segment from the client, or to it."""
    ports = (40000, port) if up else (port, 40000)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, 0, 5 << 4, flags, 65535, 0, 0) + data
    addresses = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0, *addresses) + tcp
    return bytes(12) + b"\x08\x00" + ip


def conversation() -> list[tuple[float, bytes]]:
    """Two calls with their answers, each in a segment."""
    return [
        (100.0, segment(LOOKUP.raw, 1, up=True)),
        (100.002, segment(FOUND.raw, 1, up=False)),
        (101.0, segment(PASSWORD.raw, 1 + len(LOOKUP.raw), up=True)),
        (103.0, segment(REFUSED.raw, 1 + len(FOUND.raw), up=False)),
    ]


def pcap(path: Path, packets: Sequence[tuple[float, bytes]], order: str = "<") -> Path:
    """A classic capture file."""
    text = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for time, data in packets:
        text += struct.pack(f"{order}IIII", int(time), round(time % 1 * 1e6), len(data), len(data)) + data
    path.write_bytes(text)
    return path


def names(segments: Sequence[bytes]) -> list[int]:
    """The serials of the messages that segments make."""
    streams = Streams()
    return [packet.frame.serial for packet in streams.packets(Captured(1.0, 1, data, "") for data in segments)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_calls_and_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str) -> None:
    assert main(["trace", "--read", str(pcap(tmp_path / "c", conversation(), order))]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith('1 10.0.0.9:40000    DOMAIN_LOOKUP_BY_NAME(name="web") = dom=web  2.000 ms')
    assert second.endswith(
        'DOMAIN_SET_USER_PASSWORD(dom=web, user="root", password="***", flags=0)'
        " = OPERATION_FAILED: *** is too short  2000.000 ms"
    )


@pytest.mark.parametrize(
    ("options", "serials"),
    [
        (["--errors"], [6]),
        (["--slower-than", "100"], [6]),
        (["--procedure", "domain_look*"], [5]),
        (["--object", "web"], [5, 6]),
        (["--object", "domain:w*"], [5, 6]),
        (["--object", "00010203-0405-0607-0809-0a0b0c0d0e0f"], [5, 6]),
        (["--object", "db"], []),
        (["--client", "1"], [5, 6]),
        (["--client", "2"], []),
        (["--subject", "10.0.0.9*"], [5, 6]),
        (["--subject", "uid:0"], []),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], serials: list[int]) -> None:
    file = pcap(tmp_path / "c", conversation())
    assert main(["trace", "-r", str(file), "--json", *options]) == 0
    assert [json.loads(line)["serial"] for line in capsys.readouterr().out.splitlines()] == serials


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", "-r", str(pcap(tmp_path / "c", conversation())), "--json"])
    found, refused = map(json.loads, capsys.readouterr().out.splitlines())
    assert found == {
        "time": 100.0, "client": 1, "subject": "10.0.0.9:40000", "kind": "call", "procedure": "DOMAIN_LOOKUP_BY_NAME",
        "serial": 5, "args": {"name": "web"}, "seconds": 0.002,
        "result": {"dom": {"name": "web", "uuid": "00010203-0405-0607-0809-0a0b0c0d0e0f", "id": 3}},
    }  # fmt: skip
    assert refused["error"] == {"code": 9, "name": "OPERATION_FAILED", "message": "*** is too short"}


def test_written_traffic_reads_the_same_without_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = pcap(tmp_path / "c", conversation()), tmp_path / "masked.pcapng"
    assert main(["trace", "-r", str(source), "-w", str(target), "--json"]) == 0
    before = capsys.readouterr().out
    assert main(["trace", "-r", str(target), "--json"]) == 0
    assert capsys.readouterr().out == before
    assert b"hunter2" in source.read_bytes()
    assert b"hunter2" not in target.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o600
    assert main(["trace", "-r", str(source), "-w", str(target)]) == 1


def test_streams_are_told_as_a_whole() -> None:
    call = remote.DOMAIN_OPEN_CONSOLE.call_frame(7, remote.DomainOpenConsoleArgs(dom=DOMAIN, dev_name=None, flags=0))
    number = remote.DOMAIN_OPEN_CONSOLE.number

    def packet(time: float, up: bool, frame: Frame) -> Packet:
        return Packet(time, 1, "", up, frame)

    def stream(status: int, data: bytes = b"") -> Frame:
        return pack(call.program, 1, number, STREAM, 7, status, data)

    calls = Calls()
    found: list[Exchange] = []
    for one in (
        packet(1, True, call),
        packet(2, False, remote.DOMAIN_OPEN_CONSOLE.reply_frame(7, None)),
        packet(3, True, stream(CONTINUE, b"root")),
        packet(4, False, stream(CONTINUE, b"password:")),
        packet(5, True, stream(OK)),
        packet(6, False, stream(OK)),
    ):
        found += calls.take(one, calls.read(one))
    opened, ended = found
    assert (opened.kind, opened.seconds) == ("call", 1)
    assert (ended.kind, ended.up, ended.down, ended.seconds) == ("stream", 4, 9, 4)
    assert list(calls.unfinished()) == []


def test_calls_without_an_answer_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_calls, "CALLS_MAX", 3)
    calls = Calls()
    for client in range(10):
        one = Packet(client, client, "", True, LOOKUP)
        assert list(calls.take(one, calls.read(one))) == []
    assert [left.packet.client for left in calls.unfinished()] == [7, 8, 9]


def test_segments_in_any_order_and_twice() -> None:
    text = LOOKUP.raw + PASSWORD.raw
    parts = [segment(text[at : at + 10], 100 + at, up=True) for at in range(0, len(text), 10)]
    begin = segment(b"", 99, up=True, flags=2)
    assert names([begin, *parts]) == [5, 6]
    assert names([begin, *reversed(parts)]) == [5, 6]
    assert names([begin, *parts[:4], *parts[2:], *parts]) == [5, 6]


def test_sequence_numbers_wrap() -> None:
    parts = [segment(LOOKUP.raw[:20], (1 << 32) - 20, up=True), segment(LOOKUP.raw[20:], 0, up=True)]
    assert names([segment(b"", (1 << 32) - 21, up=True, flags=2), *parts]) == [5]


def test_a_hole_costs_no_more_than_what_was_in_it() -> None:
    text = LOOKUP.raw
    parts = [segment(text, 1, up=True), segment(text[30:], 1 + len(text) + 30, up=True)]
    parts.append(segment(PASSWORD.raw, 1 + 2 * len(text), up=True))
    assert names(parts) == [5, 6]


def test_a_capture_that_begins_in_the_middle() -> None:
    assert names(
        [segment(LOOKUP.raw[12:], 50, up=True), segment(PASSWORD.raw, 50 + len(LOOKUP.raw) - 12, up=True)]
    ) == [6]


def test_other_ports_and_what_is_not_tcp_are_left_alone() -> None:
    assert names([segment(LOOKUP.raw, 1, up=True, port=22), b"", bytes(60), segment(LOOKUP.raw, 1, up=True)[:30]]) == []


def test_a_large_message_goes_in_several_segments() -> None:
    document = "<domain>" + "x" * 200_000 + "</domain>"
    call = remote.DOMAIN_DEFINE_XML.call_frame(8, remote.DomainDefineXmlArgs(xml=document))
    stream, calls, one = io.BytesIO(), Calls(), Packet(5.25, 77, "uid:0", True, call)
    Recording(stream).add(one, calls.read(one))
    stream.seek(0)
    (again,) = Streams().packets(captured(stream, "it"))
    assert again == (5.25, 77, "uid:0", True, again.frame)
    assert again.frame.raw == call.raw


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a capture file"),
        (b"hello world", "is not a capture file"),
        (struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"\xff" * 16, "is damaged"),
        (struct.pack("<IIIHHq", 0x0A0D0D0A, 28, 0, 1, 0, -1), "is damaged"),
        (struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + b"\x06\0\0\0\x0c\0\0\0" * 2, "is damaged"),
    ],
)
def test_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, sentence: str) -> None:
    file = tmp_path / "bad"
    file.write_bytes(content)
    assert main(["trace", "-r", str(file)]) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_damaged_files_raise_nothing_but_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    file, damaged = pcap(tmp_path / "c", conversation()), tmp_path / "damaged"
    if kind == "pcapng":
        assert main(["trace", "-r", str(file), "-w", str(tmp_path / "n")]) == 0
        file = tmp_path / "n"
    whole, chance = file.read_bytes(), random.Random(4)
    for _ in range(80):
        text = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            text[chance.randrange(len(text))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        damaged.write_bytes(text)
        assert main(["trace", "-r", str(damaged), "--full"]) in (0, 1)
        assert main(["trace", "-r", str(damaged), "--json"]) in (0, 1)
    capsys.readouterr()


def test_torn_files_end_where_they_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = pcap(tmp_path / "c", conversation()).read_bytes()
    for size in range(24, len(whole), 7):
        (tmp_path / "torn").write_bytes(whole[:size])
        assert main(["trace", "-r", str(tmp_path / "torn")]) == 0
    capsys.readouterr()


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "-r", str(pcap(tmp_path / "c", conversation())), "--port", "16514"]) == 0
    assert "no packet of TCP port 16514" in capsys.readouterr().err
    assert main(["trace", "-r", str(tmp_path / "absent")]) == 1
