# SPDX-License-Identifier: LGPL-2.1-or-later
"""The copy both ways over real pipes and sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from virtproxy.cli.splice import BUFFER_SIZE, splice


@dataclass
class Ends:
    """What a test holds: ssh's two pipe ends and the daemon's end of the socket."""

    to_helper: int
    from_helper: int
    daemon: socket.socket
    thread: threading.Thread
    errors: list[BaseException]

    def hang_up(self) -> None:
        os.close(self.to_helper)
        self.to_helper = -1


@pytest.fixture
def ends() -> Iterator[Ends]:
    stdin, to_helper = os.pipe()
    from_helper, stdout = os.pipe()
    ours, daemon = socket.socketpair()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            splice(ours, stdin, stdout)
        except OSError as error:
            errors.append(error)
        os.close(stdout)

    thread = threading.Thread(target=run)
    thread.start()
    held = Ends(to_helper, from_helper, daemon, thread, errors)
    yield held
    daemon.close()
    if held.to_helper >= 0:
        held.hang_up()
    thread.join(5)
    assert not thread.is_alive()
    ours.close()
    for fd in (stdin, from_helper):
        os.close(fd)


def read_to_end(fd: int) -> bytes:
    return b"".join(iter(lambda: os.read(fd, 65536), b""))


def test_both_ways(ends: Ends) -> None:
    os.write(ends.to_helper, b"call")
    assert ends.daemon.recv(10) == b"call"
    ends.daemon.sendall(b"reply")
    assert os.read(ends.from_helper, 10) == b"reply"


def test_the_end_of_input_is_a_half_close(ends: Ends) -> None:
    ends.hang_up()
    assert ends.daemon.recv(10) == b""
    ends.daemon.sendall(b"last words")
    ends.daemon.close()
    assert read_to_end(ends.from_helper) == b"last words"


def test_the_daemons_end_ends_it_while_input_is_open(ends: Ends) -> None:
    ends.daemon.close()
    ends.thread.join(5)
    assert not ends.thread.is_alive()
    assert read_to_end(ends.from_helper) == b""


def test_much_more_than_the_buffers(ends: Ends) -> None:
    data = os.urandom(1 << 20) * 8

    def send() -> None:
        ends.daemon.sendall(data)
        ends.daemon.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert read_to_end(ends.from_helper) == data
    sender.join()


def test_a_stopped_reader_stops_the_writer(ends: Ends) -> None:
    ends.daemon.setblocking(False)
    sent = 0
    limit = time.monotonic() + 1.0
    while time.monotonic() < limit:
        try:
            sent += ends.daemon.send(bytes(65536))
        except BlockingIOError:
            time.sleep(0.02)
    # The kernel's buffers of the socket and of the pipe, and one buffer of ours.
    assert sent <= BUFFER_SIZE + (4 << 20)
    ends.daemon.close()
    assert len(read_to_end(ends.from_helper)) == sent


def test_a_reader_that_has_gone_is_an_error(ends: Ends) -> None:
    os.close(ends.from_helper)
    ends.daemon.sendall(b"x")
    ends.thread.join(5)
    assert [type(e) for e in ends.errors] == [BrokenPipeError]
    ends.from_helper = os.open("/dev/null", os.O_RDONLY)
