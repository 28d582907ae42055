# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connecting to UNIX sockets: a daemon that is busy, absent or out of reach."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure

from virtproxy.rpc import connect
from virtproxy.rpc.connect import BACKLOG_RETRY_SECONDS, connect_unix


class Quiet:
    """A protocol that only knows its transport and its end."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.gone: Deferred[None] = Deferred()

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        raise AssertionError(data)

    def connectionLost(self, reason: Failure) -> None:
        self.gone.callback(None)


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor as installed

    return installed


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that takes one waiting client (the kernel adds one)."""
    with tempfile.TemporaryDirectory(prefix="vp") as directory, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(Path(directory) / "sock"))
        made.listen(0)
        yield made


@pytest_twisted.ensureDeferred
async def test_a_busy_daemon_is_asked_again(reactor: Any, listener: socket.socket) -> None:
    first, second = Quiet(), Quiet()
    await connect_unix(reactor, listener.getsockname(), first)
    waiting = Deferred.fromCoroutine(connect_unix(reactor, listener.getsockname(), second))
    await deferLater(reactor, 2 * BACKLOG_RETRY_SECONDS)
    assert not waiting.called
    accepted = [listener.accept()[0]]
    await waiting
    accepted.append(listener.accept()[0])
    for sock, protocol in zip(accepted, (first, second), strict=True):
        sock.close()
        await protocol.gone


def test_a_daemon_that_stays_busy_is_given_up(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BACKLOG_TRIES", 3)
    with socket.socket(socket.AF_UNIX) as full:
        full.connect(listener.getsockname())
        clock: Any = Clock()
        trying = Deferred.fromCoroutine(connect_unix(clock, listener.getsockname(), Quiet()))
        clock.pump([BACKLOG_RETRY_SECONDS] * 3)
        (failure,) = caught(trying)
        assert failure.check(BlockingIOError)


@pytest.mark.parametrize(("name", "error"), [("none", FileNotFoundError), ("x" * 200, OSError)])
def test_the_kernels_word_is_passed_on(tmp_path: Path, name: str, error: type[Exception]) -> None:
    clock: Any = Clock()
    (failure,) = caught(Deferred.fromCoroutine(connect_unix(clock, str(tmp_path / name), Quiet())))
    assert failure.check(error)


def caught(deferred: Deferred[None]) -> list[Failure]:
    failures: list[Failure] = []
    deferred.addErrback(failures.append)
    return failures
