# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keepalive against a clock of the test's own."""

from __future__ import annotations

from twisted.internet.task import Clock

from virtproxy.rpc.keepalive import PING, PONG, Keepalive


class Watched:
    """A keepalive that notes what it does."""

    def __init__(self, interval: float = 5, count: int = 3) -> None:
        self.clock = Clock()
        self.pings: list[float] = []
        self.died: list[float] = []
        self.listens = True
        self.keepalive = Keepalive(
            self.clock, interval, count,
            lambda: self.pings.append(self.clock.seconds()),
            lambda: self.died.append(self.clock.seconds()),
            lambda: self.listens,
        )  # fmt: skip


def test_silence_is_pinged_then_given_up() -> None:
    watched = Watched()
    watched.keepalive.start()
    watched.clock.pump([1] * 40)
    assert watched.pings == [5, 10, 15]
    assert watched.died == [20]
    assert not watched.clock.getDelayedCalls()


def test_any_sign_of_life_counts() -> None:
    watched = Watched()
    watched.keepalive.start()
    for _ in range(10):
        watched.clock.advance(5)
        watched.keepalive.heard = True
    watched.clock.advance(5)
    assert watched.pings == [5]
    watched.clock.pump([5] * 4)
    assert watched.pings == [5, 60, 65, 70]
    assert watched.died == [75]


def test_no_count_gives_up_at_once() -> None:
    watched = Watched(count=0)
    watched.keepalive.start()
    watched.clock.advance(5)
    assert (watched.pings, watched.died) == ([], [5])


def test_a_peer_that_is_not_listened_to_is_not_given_up() -> None:
    watched = Watched()
    watched.listens = False
    watched.keepalive.start()
    watched.clock.pump([5] * 20)
    assert (watched.pings, watched.died) == ([], [])
    watched.listens = True
    watched.clock.pump([5] * 4)
    assert watched.pings == [105, 110, 115]
    assert watched.died == [120]


def test_it_begins_once_and_only_with_an_interval() -> None:
    for interval in (0, -1):
        watched = Watched(interval)
        watched.keepalive.start()
        assert not watched.clock.getDelayedCalls()
    watched = Watched()
    watched.keepalive.start()
    watched.keepalive.start()
    assert len(watched.clock.getDelayedCalls()) == 1


def test_stop_leaves_no_timer() -> None:
    watched = Watched()
    watched.keepalive.stop()
    watched.keepalive.start()
    watched.keepalive.stop()
    watched.keepalive.stop()
    assert not watched.clock.getDelayedCalls()


def test_the_packets_are_those_of_libvirt() -> None:
    assert PING.raw.hex() == "0000001c6b6565700000000100000001000000020000000000000000"
    assert PONG.raw.hex() == "0000001c6b6565700000000100000002000000020000000000000000"
