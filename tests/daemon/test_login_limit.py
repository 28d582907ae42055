# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long clients may take to log in, on a pretended clock."""

from __future__ import annotations

from twisted.internet.task import Clock

from virtproxy.daemon.clients import Clients
from virtproxy.daemon.login_limit import EXTENSIONS, LoginLimit


class Door:
    """Clients with a limit of ten seconds; notes who is cut off, and leaves them counted until the test lets go."""

    def __init__(self, seconds: int = 10) -> None:
        self.clock = Clock()
        self.waiting: set[int] = set()
        self.cut_off: list[int] = []
        limit = LoginLimit(self.clock, seconds, self.waiting.__contains__, self.cut_off.append)
        self.clients = Clients(100, 1, lambda accept: None, logins=limit)


def test_who_does_nothing_is_cut_off_in_time() -> None:
    door = Door()
    door.clients.joined()
    door.clock.advance(9.9)
    assert door.cut_off == []
    door.clock.advance(0.2)
    assert door.cut_off == [1]
    door.clients.left(1)
    assert not door.clients.full
    assert not door.clock.getDelayedCalls()


def test_who_is_known_or_gone_has_no_timer() -> None:
    door = Door()
    door.clients.joined()
    door.clients.authenticated(1)
    door.clients.joined()
    door.clients.left(2)
    assert not door.clock.getDelayedCalls()


def test_who_waits_for_an_answer_of_ours_gets_more_time_but_not_for_ever() -> None:
    door = Door()
    door.clients.joined()
    door.waiting.add(1)
    door.clock.pump([10] * EXTENSIONS)
    assert door.cut_off == []
    door.clock.advance(10)
    assert door.cut_off == [1]


def test_an_answer_without_success_does_not_give_more_time() -> None:
    door = Door()
    door.clients.joined()
    door.waiting.add(1)
    door.clock.advance(10)
    door.waiting.clear()
    door.clock.advance(10)
    assert door.cut_off == [1]


def test_zero_is_no_limit() -> None:
    door = Door(seconds=0)
    door.clients.joined()
    assert not door.clock.getDelayedCalls()
