# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input from a raw socket: virtproxyd answers or closes as libvirtd does, lives on, and does not grow."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.lab import INSIDE, lab
from tests.support.raw import Outcome, RawClient, open_fds, raw_client, resident_kib
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.wire.frame import (
    CALL,
    CALL_WITH_FDS,
    CONTINUE,
    ERROR,
    MESSAGE,
    OK,
    REPLY,
    STREAM,
    STREAM_HOLE,
    Frame,
    pack,
)

REMOTE = remote.PROGRAM.number
RPC = int(ErrorCode.RPC)
HOSTNAME = remote.CONNECT_GET_HOSTNAME.number
LOOKUP = remote.DOMAIN_LOOKUP_BY_NAME.number
NAMED = remote.DOMAIN_LOOKUP_BY_NAME.call_frame(9, remote.DomainLookupByNameArgs(name="test"))
GUEST = remote.NonnullDomain(name="test", uuid=bytes(16), id=1)
HUGE = 33 * 1024 * 1024


@dataclass
class Bad:
    """What is sent after opening, and what is to come of it. ``message`` None: libvirt words it otherwise."""

    name: str
    send: Callable[[RawClient], None]
    closes: bool = False
    code: int | None = None
    message: str | None = None


def sends(*items: bytes | Frame) -> Callable[[RawClient], None]:
    return lambda client: client.send(*items)


def length(value: int, rest: bytes = bytes(24)) -> Callable[[RawClient], None]:
    return sends(value.to_bytes(4, "big") + rest)


def call(procedure: int = HOSTNAME, payload: bytes = b"", *, program: int = REMOTE, version: int = 1, status: int = OK,
         kind: int = CALL) -> Frame:  # fmt: skip
    return pack(program, version, procedure, kind, 9, status, payload)


def many_fds(client: RawClient) -> None:
    """More descriptors than a message may have, announced and sent."""
    packet = bytearray(pack(REMOTE, 1, remote.DOMAIN_FD_ASSOCIATE.number, CALL_WITH_FDS, 9, OK, b"", ()).raw)
    packet[28:32] = (33).to_bytes(4, "big")
    client.send(bytes(packet))
    for _ in range(33):
        client.send_fds(b"\0", [0])


def unannounced_fds(client: RawClient) -> None:
    """Descriptors beside a call that has none."""
    client.send_fds(NAMED.raw, [0, 0, 0])


ARGUMENTS = bytes(NAMED.payload)
CASES = [
    *(Bad(f"length {value}", length(value), closes=True) for value in (0, 3, 27, HUGE, 2**31, 2**32 - 1)),
    Bad("length 28", length(28), code=RPC, message="Cannot find program 0 version 0"),
    Bad("33 MiB", sends(HUGE.to_bytes(4, "big") + bytes(HUGE - 4)), closes=True),
    Bad("unknown program", sends(call(program=0x1234)), code=RPC, message="Cannot find program 4660 version 1"),
    Bad("unknown version", sends(call(version=2)), code=RPC, message="Cannot find program 536903814 version 2"),
    Bad("unknown procedure", sends(call(9999)), code=RPC, message="unknown procedure: 9999"),
    Bad("procedure 0", sends(call(0)), code=RPC, message="unknown procedure: 0"),
    Bad("negative procedure", sends(call(-5)), code=RPC, message="unknown procedure: -5"),
    Bad("an event is no procedure", sends(call(remote.DOMAIN_EVENT_LIFECYCLE.number)), code=RPC,
        message="unknown procedure: 107"),
    Bad("a status in a call", sends(call(status=ERROR)), code=RPC, message="Unexpected message status 1"),
    Bad("an unknown status in a call", sends(call(status=77)), code=RPC, message="Unexpected message status 77"),
    Bad("a reply", sends(call(kind=REPLY))),
    Bad("an event", sends(call(kind=MESSAGE))),
    Bad("an unknown type", sends(call(kind=77))),
    Bad("truncated arguments", sends(call(LOOKUP, ARGUMENTS[:-1])), code=RPC),
    Bad("no arguments", sends(call(LOOKUP)), code=RPC),
    Bad("a count larger than the packet", sends(call(LOOKUP, b"\0\x30\0\0test")), code=RPC),
    Bad("a count larger than any string", sends(call(LOOKUP, b"\xff\xff\xff\xfftest")), code=RPC),
    Bad("bytes after the arguments", sends(call(LOOKUP, ARGUMENTS + bytes(400))), code=0),
    Bad("bytes after no arguments", sends(call(HOSTNAME, bytes(400))), code=0),
    Bad("33 descriptors", many_fds, closes=True),
    Bad("data for no stream", sends(call(209, b"data", kind=STREAM, status=CONTINUE))),
    Bad("a hole for no stream", sends(call(209, bytes(12), kind=STREAM_HOLE, status=CONTINUE))),
    Bad("the end of no stream", sends(call(209, kind=STREAM))),
]  # fmt: skip


@pytest.fixture(scope="module")
def virtproxyd() -> Iterator[DaemonProcess]:
    """Our daemon in front of nothing but its pretended host."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    config = configuration(place, 'auth_unix_rw = "none"\n')
    daemon = DaemonProcess(place, ["-v", "-f", str(config), "-p", str(place / "pid")])
    daemon.wait_for("is ready")
    yield daemon
    assert "Traceback" not in daemon.said()
    assert daemon.stop() == 0
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Path]:
    with lab() as made:
        made.libvirtd(INSIDE / "s")
        yield made.outside(INSIDE / "s") / "libvirt-sock"


def sock(daemon: DaemonProcess) -> Path:
    return daemon.output.parent / "libvirt-sock"


def tried(bad: Bad, path: Path) -> Outcome:
    """What came of it, on a connection of its own; and the daemon serves the next client."""
    with raw_client(path) as client:
        client.open()
        bad.send(client)
        found = client.outcome(expected=bad.code is not None)
    with raw_client(path) as client:
        client.open()
    return found


def check(bad: Bad, found: Outcome) -> None:
    assert found.closed == bad.closes
    if bad.code is None:
        assert not found.answers
    else:
        ((serial, code, message),) = found.answers
        assert code == bad.code
        assert bad.message is None or message == bad.message
        assert serial == (0 if bad.name == "length 28" else 9)


@pytest.mark.parametrize("bad", CASES, ids=[bad.name for bad in CASES])
def test_virtproxyd_answers_or_closes(bad: Bad, virtproxyd: DaemonProcess) -> None:
    check(bad, tried(bad, sock(virtproxyd)))


@pytest.mark.root
@pytest.mark.parametrize("bad", CASES, ids=[bad.name for bad in CASES])
def test_libvirtd_does_the_same(bad: Bad, libvirtd: Path) -> None:
    check(bad, tried(bad, libvirtd))


def test_descriptors_nobody_announced_close_the_connection(virtproxyd: DaemonProcess) -> None:
    before = open_fds(virtproxyd.pid)
    with raw_client(sock(virtproxyd)) as client:
        client.open()
        unannounced_fds(client)
        assert client.outcome().closed
    settled(virtproxyd, before)


def test_before_opening(virtproxyd: DaemonProcess) -> None:
    with raw_client(sock(virtproxyd)) as client:
        client.send(NAMED)
        ((_, code, message),) = client.outcome(expected=1).answers
        assert (code, message) == (int(ErrorCode.INTERNAL_ERROR), "internal error: hypervisor connection not open")


def test_a_second_open_is_refused(virtproxyd: DaemonProcess) -> None:
    with raw_client(sock(virtproxyd)) as client:
        client.open()
        client.send(remote.CONNECT_OPEN.call_frame(5, remote.ConnectOpenArgs(name="test:///default", flags=0)))
        ((serial, code, message),) = client.outcome(expected=1).answers
        assert (serial, code, message) == (5, 1, "internal error: connection already open")


@pytest.mark.root
def test_a_second_open_is_refused_by_libvirtd_too(libvirtd: Path) -> None:
    with raw_client(libvirtd) as client:
        client.open()
        client.send(remote.CONNECT_OPEN.call_frame(5, remote.ConnectOpenArgs(name="test:///default", flags=0)))
        ((serial, code, message),) = client.outcome(expected=1).answers
        assert (serial, code, message) == (5, 1, "internal error: connection already open")


def settled(daemon: DaemonProcess, descriptors: int) -> None:
    """Wait until the daemon has as few descriptors open as that."""
    deadline = time.monotonic() + 5
    while open_fds(daemon.pid) > descriptors:
        assert time.monotonic() < deadline, f"{open_fds(daemon.pid)} descriptors are open, {descriptors} were"
        time.sleep(0.01)


def test_half_a_packet_and_silence_cost_no_more_than_they_sent(virtproxyd: DaemonProcess) -> None:
    descriptors, memory = open_fds(virtproxyd.pid), resident_kib(virtproxyd.pid)
    clients = [RawClient(sock(virtproxyd)) for _ in range(100)]
    for client in clients:
        client.send((32 * 1024 * 1024).to_bytes(4, "big"), bytes(1000))
    with raw_client(sock(virtproxyd)) as other:
        other.open()
    assert resident_kib(virtproxyd.pid) - memory < 8 * 1024
    for client in clients:
        client.close()
    settled(virtproxyd, descriptors)


def test_all_of_it_again_and_again_leaves_no_growth(virtproxyd: DaemonProcess) -> None:
    def one_round() -> None:
        for bad in CASES:
            if bad.name != "33 MiB":
                check(bad, tried(bad, sock(virtproxyd)))

    for _ in range(3):
        one_round()
    descriptors, memory = open_fds(virtproxyd.pid), resident_kib(virtproxyd.pid)
    for _ in range(20):
        one_round()
    settled(virtproxyd, descriptors)
    assert resident_kib(virtproxyd.pid) - memory < 2 * 1024


def test_a_client_that_reads_no_answers_is_not_answered_without_end(virtproxyd: DaemonProcess) -> None:
    memory = resident_kib(virtproxyd.pid)
    question = remote.CONNECT_GET_CAPABILITIES.call_frame(9, None).raw * 1000
    with raw_client(sock(virtproxyd)) as client:
        client.open()
        client.sock.setblocking(False)
        deadline = time.monotonic() + 15
        stuck = 0
        while time.monotonic() < deadline and stuck < 20:
            try:
                client.sock.send(question)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                time.sleep(0.02)
        assert stuck == 20, "the daemon goes on reading from a client that does not read"
        assert resident_kib(virtproxyd.pid) - memory < 16 * 1024
        with raw_client(sock(virtproxyd)) as other:
            other.open()


def test_descriptors_of_calls_are_not_kept(virtproxyd: DaemonProcess) -> None:
    before = open_fds(virtproxyd.pid)
    ours, theirs = socket.socketpair()
    with raw_client(sock(virtproxyd)) as client:
        client.open()
        frame = remote.DOMAIN_OPEN_GRAPHICS.call_frame(
            9, remote.DomainOpenGraphicsArgs(dom=GUEST, idx=0, flags=0), [theirs.fileno()]
        )  # fmt: skip
        client.send(frame.raw)
        client.send_fds(b"\0", [theirs.fileno()])
        ((_, code, _),) = client.outcome(expected=1).answers
        assert code != 0
        theirs.close()
        ours.settimeout(5)
        assert ours.recv(1) == b"", "the daemon has kept the descriptor"
    ours.close()
    settled(virtproxyd, before)
    assert os.path.exists(sock(virtproxyd))
