# SPDX-License-Identifier: LGPL-2.1-or-later
"""When a daemon that nobody uses ends: by a clock of ours, and with sockets on which clients hammer."""

from __future__ import annotations

import errno
import socket
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet.task import Clock

from virtproxy.daemon.endpoints import UnixEndpoint
from virtproxy.daemon.idle import TIMEOUT_MAX, IdleExit
from virtproxy.daemon.listeners import Listeners
from virtproxy.rpc.reactor import StreamReactor


class Exit:
    """An IdleExit whose daemon leaves when ``free``."""

    def __init__(self, seconds: int) -> None:
        self.clock = Clock()
        self.free = True
        self.asked: list[float] = []
        self.idle = IdleExit(cast("StreamReactor", self.clock), seconds, self._leave)
        self.idle.start()

    def _leave(self) -> bool:
        self.asked.append(self.clock.seconds())
        return self.free


def test_it_leaves_once_when_nobody_came() -> None:
    daemon = Exit(10)
    daemon.clock.advance(9.9)
    assert daemon.asked == []
    daemon.clock.advance(0.1)
    daemon.clock.advance(100)
    assert daemon.asked == [10]


def test_whatever_is_busy_keeps_it() -> None:
    daemon = Exit(10)
    daemon.idle.busy("clients", 2)
    daemon.idle.busy("guests", 1)
    daemon.idle.busy("clients", 0)
    daemon.clock.advance(100)
    assert (daemon.asked, daemon.idle.reasons) == ([], {"guests": 1})
    daemon.idle.busy("guests", 0)
    daemon.clock.advance(5)
    daemon.idle.busy("clients", 1)
    daemon.idle.busy("clients", 0)
    daemon.clock.advance(9)
    assert daemon.asked == []
    daemon.clock.advance(1)
    assert daemon.asked == [115]


def test_work_keeps_it_until_the_last_of_it_is_done() -> None:
    daemon = Exit(10)
    with daemon.idle.working("reloads"):
        with pytest.raises(KeyError), daemon.idle.working("reloads"):
            raise KeyError
        daemon.clock.advance(100)
        assert (daemon.asked, daemon.idle.reasons) == ([], {"reloads": 1})
    daemon.clock.advance(10)
    assert daemon.asked == [110]


def test_who_comes_at_the_last_moment_is_waited_for() -> None:
    daemon = Exit(10)
    daemon.free = False
    daemon.clock.advance(10)
    daemon.clock.advance(10)
    daemon.free = True
    daemon.clock.advance(10)
    daemon.clock.advance(10)
    assert daemon.asked == [10, 20, 30]


def test_the_time_may_change() -> None:
    daemon = Exit(0)
    daemon.clock.advance(1000)
    daemon.idle.seconds = 5
    daemon.clock.advance(4)
    daemon.idle.seconds = 20
    daemon.clock.advance(19)
    daemon.idle.seconds = 0
    daemon.clock.advance(1000)
    assert daemon.asked == []
    daemon.idle.seconds = 1
    daemon.clock.advance(1)
    assert daemon.asked == [2024]


@pytest.mark.parametrize("seconds", [-1, TIMEOUT_MAX + 1])
def test_times_that_cannot_be(seconds: int) -> None:
    daemon = Exit(7)
    with pytest.raises(ValueError, match=f"from 0 to {TIMEOUT_MAX} seconds, not {seconds}"):
        daemon.idle.seconds = seconds
    assert daemon.idle.seconds == 7


def test_nothing_counts_before_the_start_or_after_the_end() -> None:
    daemon = Exit(3)
    daemon.idle.stop()
    daemon.idle.busy("clients", 0)
    daemon.clock.advance(100)
    daemon.idle.seconds = 1
    daemon.clock.advance(100)
    assert daemon.asked == []


class Reactor(Clock):
    """Nothing is accepted by itself."""

    def addReader(self, reader: Any) -> None:
        self.reader = reader

    def removeReader(self, reader: Any) -> None:
        pass


def listening(path: Path, accepted: list[socket.socket]) -> tuple[Listeners, Any]:
    reactor: Any = Reactor()
    listeners = Listeners(reactor, 30, lambda sock, *where: accepted.append(sock))
    listeners.open([UnixEndpoint(str(path), 0o600, None, False, "unix_sock_dir")])
    listeners.resume()
    return listeners, reactor.reader


def test_who_waits_is_not_left(place: Path) -> None:
    accepted: list[socket.socket] = []
    listeners, acceptor = listening(place / "sock", accepted)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "sock"))
        assert not listeners.leave()
        acceptor.doRead()
        accepted.pop().close()
    assert listeners.leave()
    assert list(place.iterdir()) == []


def test_who_connects_after_the_last_look_is_served_too(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[socket.socket] = []
    listeners, _ = listening(place / "sock", accepted)
    with socket.socket(socket.AF_UNIX) as late, socket.socket(socket.AF_UNIX) as later:

        def look(self: Listeners) -> bool:
            if (place / "sock.leaving").exists():  # as who had found the file before it was hidden
                late.connect(str(place / "sock.leaving"))
            return False

        with monkeypatch.context() as patched:
            patched.setattr(Listeners, "_anybody_waits", look)
            assert not listeners.leave()
        with accepted.pop() as served:
            served.sendall(b"!")
            assert late.recv(1) == b"!"
        assert [path.name for path in place.iterdir()] == ["sock"]
        later.connect(str(place / "sock"))
        assert not listeners.leave()
    listeners.close()
    assert list(place.iterdir()) == []


def test_a_socket_whose_place_is_taken_is_left_to_who_took_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted: list[socket.socket] = []
    listeners, _ = listening(place / "sock", accepted)
    with socket.socket(socket.AF_UNIX) as late, socket.socket(socket.AF_UNIX) as successor:

        def look(self: Listeners) -> bool:
            if (place / "sock.leaving").exists():
                late.connect(str(place / "sock.leaving"))
                successor.bind(str(place / "sock"))
                successor.listen()
            return False

        monkeypatch.setattr(Listeners, "_anybody_waits", look)
        assert not listeners.leave()
        accepted.pop().close()
        assert listeners.leave()
        assert [path.name for path in place.iterdir()] == ["sock"]


def test_a_socket_of_somebody_else_stays(place: Path) -> None:
    listeners, _ = listening(place / "sock", [])
    (place / "sock").unlink()
    with socket.create_server(str(place / "sock"), family=socket.AF_UNIX), socket.socket(socket.AF_UNIX) as client:
        assert listeners.leave()
        client.connect(str(place / "sock"))


class Hammer(threading.Thread):
    """Connects again and again until nobody is there, each time waiting for the byte that says: you are served."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = str(path)
        self.served = 0
        self.lost: list[BaseException | str] = []

    def run(self) -> None:
        """Connect until there is no such socket."""
        while True:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                try:
                    client.connect(self._path)
                except OSError as error:
                    if error.errno not in {errno.ENOENT, errno.ECONNREFUSED}:
                        self.lost.append(error)
                    return
                try:
                    answer = client.recv(1)
                except OSError as error:
                    self.lost.append(error)
                    return
                if answer != b"!":
                    self.lost.append("connected and dropped")
                    return
                self.served += 1


def test_no_client_is_lost_by_one_who_leaves(place: Path) -> None:
    """Whoever could connect is served, whatever moment they chose."""
    refused = served = 0
    for _ in range(150):
        accepted: list[socket.socket] = []
        listeners, acceptor = listening(place / "sock", accepted)
        hammers = [Hammer(place / "sock") for _ in range(2)]
        for hammer in hammers:
            hammer.start()
        while not listeners.leave():
            refused += 1
            acceptor.doRead()
            while accepted:
                with accepted.pop() as sock:
                    sock.sendall(b"!")
        for hammer in hammers:
            hammer.join()
            served += hammer.served
            assert hammer.lost == []
    assert refused > 0
    assert served > 0
