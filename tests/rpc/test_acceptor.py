# SPDX-License-Identifier: LGPL-2.1-or-later
"""The acceptor on real listening sockets, out of descriptors too."""

from __future__ import annotations

import errno
import os
import resource
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from virtproxy.rpc.acceptor import ACCEPTS_PER_TURN, EXHAUSTED_PAUSE_SECONDS, Acceptor


class Turns(Clock):
    """A clock and the set of readers, which the test serves by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter = self.removeWriter = self.readers.discard

    def turn(self) -> None:
        for reader in list(self.readers):
            reader.doRead()


class Listening:
    """An acceptor, its reactor, and whom it accepted."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(64)
        self.reactor = Turns()
        self.accepted: list[socket.socket] = []
        self.acceptor = Acceptor(self.reactor, self.sock, lambda sock, address: self.accepted.append(sock))
        self.clients: list[socket.socket] = []

    def connect(self, count: int = 1) -> None:
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.path)
            self.clients.append(client)

    def close(self) -> None:
        self.acceptor.close()
        for sock in (*self.clients, *self.accepted):
            sock.close()


@pytest.fixture
def listening() -> Iterator[Listening]:
    with tempfile.TemporaryDirectory(prefix="vp") as directory:
        made = Listening(str(Path(directory) / "sock"))
        yield made
        made.close()


def test_it_accepts_once_resumed(listening: Listening) -> None:
    listening.connect()
    listening.reactor.turn()
    assert not listening.accepted
    listening.acceptor.resume()
    listening.acceptor.resume()
    listening.reactor.turn()
    assert len(listening.accepted) == 1


def test_paused_it_leaves_clients_in_the_backlog(listening: Listening) -> None:
    listening.acceptor.resume()
    listening.acceptor.pause()
    listening.acceptor.pause()
    listening.connect()
    listening.reactor.turn()
    assert not listening.accepted
    listening.acceptor.resume()
    listening.reactor.turn()
    assert len(listening.accepted) == 1


def test_it_can_be_paused_by_who_it_tells(listening: Listening) -> None:
    def enough(sock: socket.socket, address: object) -> None:
        listening.accepted.append(sock)
        listening.acceptor.pause()

    listening.acceptor._accepted = enough
    listening.acceptor.resume()
    listening.connect(3)
    listening.reactor.turn()
    assert len(listening.accepted) == 1


def test_a_crowd_is_accepted_over_several_turns(listening: Listening) -> None:
    listening.acceptor.resume()
    listening.connect(ACCEPTS_PER_TURN + 1)
    listening.reactor.turn()
    assert len(listening.accepted) == ACCEPTS_PER_TURN
    listening.reactor.turn()
    assert len(listening.accepted) == ACCEPTS_PER_TURN + 1


def test_out_of_descriptors_it_waits_and_goes_on(listening: Listening) -> None:
    listening.acceptor.resume()
    listening.connect(2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        listening.reactor.turn()
        assert not listening.accepted
        assert not listening.reactor.readers
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    listening.reactor.advance(EXHAUSTED_PAUSE_SECONDS)
    listening.reactor.turn()
    assert len(listening.accepted) == 2


def test_closed_while_it_waits_it_stays_closed(listening: Listening) -> None:
    listening.acceptor.resume()
    listening.acceptor._refused(OSError(errno.EMFILE, "Too many open files"))
    listening.acceptor.close()
    listening.reactor.advance(EXHAUSTED_PAUSE_SECONDS)
    assert not listening.reactor.readers
    assert listening.acceptor.fileno() == -1


def test_paused_while_it_waits_it_stays_paused(listening: Listening) -> None:
    listening.acceptor.resume()
    listening.acceptor._refused(OSError(errno.EMFILE, "Too many open files"))
    listening.acceptor.pause()
    listening.reactor.advance(EXHAUSTED_PAUSE_SECONDS)
    assert not listening.reactor.readers
