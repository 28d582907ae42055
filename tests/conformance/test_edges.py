# SPDX-License-Identifier: LGPL-2.1-or-later
"""Odd packets get from virtproxyd what they get from libvirtd.

Each case is a conversation of bare packets, held with libvirtd and with virtproxyd in front of it. Three things
differ on purpose: error templates are written as 11.3 writes them (`%1$s`), an error about arguments that cannot be
decoded says what was wrong, and a broken length closes the connection where libvirtd 9.0 waits for more of it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from tests.conformance.labs import running
from tests.support.lab import BACKEND_SOCKETS, SYSTEM_SOCKETS
from virtproxy.protocol import remote
from virtproxy.protocol.schema import decode_error
from virtproxy.wire.frame import CALL, CONTINUE, ERROR, MESSAGE, OK, REPLY, STREAM, Frame, pack
from virtproxy.wire.framer import Framer

pytestmark = [pytest.mark.conformance, pytest.mark.root]

REMOTE = remote.PROGRAM.number
SILENCE_SECONDS = 0.4


def raw(number: int, payload: bytes = b"", serial: int = 1, **header: int) -> bytes:
    """A packet of the remote program, with any field replaced."""
    fields = {"program": REMOTE, "version": 1, "type": CALL, "status": OK, **header}
    return pack(fields["program"], fields["version"], number, fields["type"], serial, fields["status"], payload).raw


def opening(uri: str | None, serial: int = 1, flags: int = 0) -> bytes:
    """CONNECT_OPEN."""
    return remote.CONNECT_OPEN.call_frame(serial, remote.ConnectOpenArgs(name=uri, flags=flags)).raw


def feature(number: int, serial: int = 1) -> bytes:
    """CONNECT_SUPPORTS_FEATURE."""
    return remote.CONNECT_SUPPORTS_FEATURE.call_frame(serial, remote.ConnectSupportsFeatureArgs(feature=number)).raw


def identity(field: str, kind: int, value: int | str, serial: int = 2) -> bytes:
    """CONNECT_SET_IDENTITY with one parameter."""
    param = remote.TypedParam(field=field, value=remote.TypedParamValue(type=kind, value=value))
    return remote.CONNECT_SET_IDENTITY.call_frame(serial, remote.ConnectSetIdentityArgs(params=[param], flags=0)).raw


DEFINE = remote.DOMAIN_DEFINE_XML.call_frame(2, remote.DomainDefineXmlArgs(xml="<domain/>")).raw
SASL = remote.AuthSaslStartArgs(mech="PLAIN", nil=0, data=b"")
QEMU = "qemu:///system"
CASES: Mapping[str, list[bytes]] = {
    "authentication list": [raw(66)],
    "sasl where none is asked for": [raw(67), remote.AUTH_SASL_START.call_frame(2, SASL).raw],
    "calls before opening": [raw(3), raw(52, serial=2), raw(360, serial=3)],
    "features before opening": [feature(10), feature(8, 2), feature(15, 3), feature(3, 4)],
    "features": [opening(QEMU), *(feature(number, 1 + number) for number in range(1, 20))],
    "opening twice": [opening(QEMU), opening(QEMU, 2), raw(3, serial=3)],
    "bad uris": [opening("nonsense"), opening("nope:///x", 2), opening("qemu:///foo", 3), opening(QEMU, 4)],
    "an empty uri": [opening(""), raw(3, serial=2)],
    "closing": [opening(QEMU), raw(2, serial=2), b""],
    "closing what is not open": [raw(2), b""],
    "unknown program": [raw(1, program=0x12345)],
    "unknown version": [raw(1, version=2)],
    "unknown procedures": [raw(9999), raw(-1, serial=2), raw(0, serial=3), raw(318, serial=4)],
    "unknown status": [raw(66, status=CONTINUE), raw(66, serial=2, status=7)],
    "types a server does not take": [raw(66, type=REPLY), raw(66, type=MESSAGE), raw(66, type=99), raw(66, serial=2)],
    "a packet of no stream": [raw(209, b"x" * 10, type=STREAM, status=CONTINUE), raw(66, serial=2)],
    "arguments cut short": [opening(QEMU), raw(23, b"\0\0\0\5ab", 2), raw(23, b"", 3)],
    "an endless string": [opening(QEMU), raw(23, b"\xff\0\0\5ab", 2)],
    "bytes after the arguments": [opening(QEMU)[:3] + bytes([opening(QEMU)[3] + 4]) + opening(QEMU)[4:] + b"more"],
    "close callbacks": [opening(QEMU), raw(360, serial=2), raw(360, serial=3), raw(361, serial=4), raw(361, serial=5)],
    "a write when read-only": [opening(QEMU, flags=1), DEFINE],
    "a secondary uri": [opening("network:///system"), *(raw(n, serial=n) for n in (3, 51, 52, 71))],
    "identities that cannot be": [opening(QEMU), identity("nonsense", 7, "x"), identity("user-name", 1, 3, 3)],
    "deregistering what is not": [opening(QEMU), raw(106, serial=2), raw(317, (9).to_bytes(4, "big"), 3)],
    **{f"length {length}": [length.to_bytes(4, "big")] for length in (0, 3, 33 << 20, 2**31, 2**32 - 1)},
}


@dataclass(frozen=True)
class Places:
    """The same libvirtd, direct and proxied."""

    direct: Path
    proxied: Path


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    with running(proxied=True) as lab:
        root = Path(f"/proc/{lab.pid}/root")
        yield Places(
            lab.outside(BACKEND_SOCKETS / "libvirt-sock"), root / (SYSTEM_SOCKETS / "libvirt-sock").relative_to("/")
        )


def described(frame: Frame) -> str:
    """A packet in words; the deliberate differences are evened out."""
    head = f"type {frame.type} procedure {frame.procedure} serial {frame.serial}"
    if frame.status != ERROR:
        return f"{head} status {frame.status} {bytes(frame.payload).hex()}"
    text = repr(decode_error(frame)).replace("%1$s", "%s")
    return f"{head} {re.sub('Unable to decode message payload[^,]*', 'Unable to decode message payload', text)}"


def conversation(path: Path, packets: list[bytes]) -> list[str]:
    """Send each packet when the one before is answered; an empty one only waits for what comes."""
    heard = []
    with socket(AF_UNIX) as client:
        client.settimeout(SILENCE_SECONDS)
        client.connect(str(path))
        framer = Framer()
        for packet in packets:
            with contextlib.suppress(BrokenPipeError):
                client.sendall(packet)
            heard.append(_answer(client, framer))
    return heard


def _answer(client: socket, framer: Framer) -> str:
    frames: list[Frame] = []
    while not frames:
        try:
            data = client.recv(65536)
        except TimeoutError:
            return "silence"
        except ConnectionResetError:
            return "closed"
        if not data:
            return "closed"
        frames = framer.feed(data)
    return " | ".join(described(frame) for frame in frames)


@pytest.mark.parametrize("case", CASES)
def test_same_answers(places: Places, case: str) -> None:
    assert conversation(places.proxied, CASES[case]) == conversation(places.direct, CASES[case])


def test_a_length_that_no_packet_has_is_not_waited_for(places: Places) -> None:
    assert conversation(places.proxied, [(27).to_bytes(4, "big")]) == ["closed"]


def test_no_uri_is_the_empty_uri(places: Places) -> None:
    """As in the C proxy daemon; the monolithic libvirtd 9.0 opens a connection that serves nothing."""
    assert conversation(places.proxied, [opening(None), raw(3, serial=2)]) == conversation(
        places.proxied, CASES["an empty uri"]
    )
