# SPDX-License-Identifier: LGPL-2.1-or-later
"""The limits on clients, each on a whole virtproxyd with real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.test_lifecycle import started, tls_files
from tests.support.daemon_process import DaemonProcess
from tests.support.raw import RawClient, raw_client
from tests.support.sasl import write_config
from virtproxy.protocol import remote
from virtproxy.protocol.schema import decode_error
from virtproxy.wire.frame import CALL, OK, pack
from virtproxy.wire.limits import LOGIN_PACKET_MAX

# What a test waits to see that nothing happens.
MOMENT = 0.4
AUTH_LIST = remote.AUTH_LIST.call_frame(1, None)


def started_for_strangers(place: Path, text: str = "") -> DaemonProcess:
    """A daemon that knows nobody before he has logged in."""
    return started(place, f'auth_unix_rw = "sasl"\n{text}', **write_config(place))


def stop(daemon: DaemonProcess) -> None:
    """End the daemon, which must not have failed at anything."""
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


def answered(client: RawClient, seconds: float = MOMENT) -> bool:
    """Whether the daemon answers within that time."""
    client.sock.settimeout(seconds)
    try:
        return client.receive() is not None
    except TimeoutError:
        return False


def asking(place: Path) -> RawClient:
    """A client that has asked its first question."""
    client = RawClient(place / "libvirt-sock")
    client.send(AUTH_LIST)
    return client


def test_over_max_clients_one_waits_until_another_leaves(place: Path) -> None:
    daemon = started(place, "max_clients = 2\n")
    first, second, third = (asking(place) for _ in range(3))
    assert (answered(first, 5), answered(second, 5), answered(third)) == (True, True, False)
    first.close()
    assert answered(third, 5)
    assert "2 clients, 1 of them not authenticated: new ones wait" in daemon.said()
    for client in (second, third):
        client.close()
    stop(daemon)


def test_over_max_queued_clients_one_is_refused(place: Path) -> None:
    daemon = started(place, "max_clients = 1\nmax_queued_clients = 1\n")
    inside = asking(place)
    assert answered(inside, 5)
    waiting: list[socket.socket] = []
    with pytest.raises(BlockingIOError):
        for _ in range(8):
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect(str(place / "libvirt-sock"))
    assert len(waiting) <= 3  # the kernel's queue is as long as it was told, and one more
    for client in (inside.sock, *waiting):
        client.close()
    stop(daemon)


def test_over_max_anonymous_clients_even_who_would_be_known_waits(place: Path) -> None:
    daemon = started_for_strangers(place, "max_anonymous_clients = 2\n")
    strangers = [RawClient(place / "libvirt-sock") for _ in range(2)]
    daemon.wait_for("2 of them not authenticated")
    late = asking(place)
    assert not answered(late)
    strangers[0].close()
    assert answered(late, 5)
    for client in (late, strangers[1]):
        client.close()
    stop(daemon)


@pytest.mark.parametrize("kind", ["socket", "handshake"])
def test_who_is_not_authenticated_in_time_is_cut_off(place: Path, kind: str) -> None:
    if kind == "socket":
        daemon = started_for_strangers(place, "auth_timeout = 1\n")
        silent = RawClient(place / "libvirt-sock").sock
    else:
        daemon = started(place, f"{tls_files(place)}auth_timeout = 1\n")
        silent = socket.create_connection(("127.0.0.1", daemon.ports()[0]))
    silent.settimeout(10)
    begin = time.monotonic()
    assert silent.recv(1) == b""
    assert 0.8 < time.monotonic() - begin < 5
    silent.close()
    daemon.wait_for(r"client 1 is cut off: not authenticated in time \(auth_timeout\)")
    stop(daemon)


def test_who_is_authenticated_may_be_silent(place: Path) -> None:
    daemon = started(place, "auth_timeout = 1\n")
    client = RawClient(place / "libvirt-sock")
    time.sleep(1.5)
    client.open()
    client.close()
    stop(daemon)


@pytest.mark.parametrize(("size", "closes"), [(LOGIN_PACKET_MAX, False), (LOGIN_PACKET_MAX + 1, True)])
def test_a_stranger_sends_no_more_than_a_login_takes(place: Path, size: int, closes: bool) -> None:
    daemon = started_for_strangers(place)
    with raw_client(place / "libvirt-sock") as stranger:
        stranger.sock.settimeout(5 if closes else MOMENT)
        stranger.sock.sendall(size.to_bytes(4, "big") + AUTH_LIST.raw[4:])
        if closes:
            assert stranger.receive() is None
        else:
            with pytest.raises(TimeoutError):
                stranger.receive()
    stop(daemon)


def test_the_largest_packet_is_for_who_is_in(place: Path) -> None:
    daemon = started(place)
    with raw_client(place / "libvirt-sock") as client:
        client.open()
        answer = client.call(pack(remote.PROGRAM.number, 1, 9999, CALL, 7, OK, bytes(2 * LOGIN_PACKET_MAX)))
        assert "unknown procedure" in (decode_error(answer).message or "")
    stop(daemon)


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def grows_by(daemon: DaemonProcess, action: Callable[[], None]) -> int:
    before = resident_kib(daemon.pid)
    action()
    time.sleep(MOMENT)
    return resident_kib(daemon.pid) - before


def test_strangers_that_read_nothing_are_kept_little_for(place: Path) -> None:
    """Twenty of them, asking how to log in for as long as they are read from."""
    daemon = started_for_strangers(place)
    data = remote.AUTH_LIST.call_frame(1, None).raw * 5000
    strangers: dict[socket.socket, int] = {}

    def flood() -> None:
        for _ in range(20):
            stranger = socket.socket(socket.AF_UNIX)
            stranger.connect(str(place / "libvirt-sock"))
            stranger.setblocking(False)
            strangers[stranger] = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for stranger, sent in strangers.items():
                try:
                    strangers[stranger] = (sent + stranger.send(data[sent:])) % len(data)
                except BlockingIOError:
                    time.sleep(0.002)

    assert grows_by(daemon, flood) < 20 * 2 * 1024
    for stranger in strangers:
        stranger.close()
    stop(daemon)
