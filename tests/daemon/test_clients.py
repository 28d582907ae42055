# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counting clients against their limits."""

from __future__ import annotations

from virtproxy.daemon.clients import Clients


class Listening:
    """Notes what the clients ask of the listeners, and their number."""

    def __init__(self, max_clients: int, max_anonymous: int) -> None:
        self.asked: list[bool] = []
        self.counts: list[int] = []
        self.clients = Clients(max_clients, max_anonymous, self.asked.append, self.counts.append)


def test_numbers_are_not_used_twice() -> None:
    clients = Listening(10, 0).clients
    assert (clients.joined(), clients.joined()) == (1, 2)
    clients.left(2)
    assert clients.joined() == 3
    assert len(clients) == 2


def test_at_the_limit_nobody_is_accepted_until_one_leaves() -> None:
    here = Listening(2, 0)
    here.clients.joined()
    assert here.asked == []
    here.clients.joined()
    assert here.asked == [False]
    assert here.clients.joined() is None
    here.clients.left(1)
    assert here.asked == [False, True]
    assert here.clients.joined() == 3
    assert here.asked == [False, True, False]
    assert here.counts == [1, 2, 1, 2]


def test_the_unknown_have_a_limit_of_their_own() -> None:
    here = Listening(100, 2)
    here.clients.joined()
    here.clients.joined()
    assert here.asked == [False]
    assert here.clients.anonymous == 2
    here.clients.authenticated(1)
    assert here.asked == [False, True]
    here.clients.joined()
    here.clients.left(2)
    assert here.asked == [False, True, False, True]
    assert here.clients.anonymous == 1


def test_without_that_limit_all_may_be_unknown() -> None:
    here = Listening(100, 0)
    for _ in range(50):
        here.clients.joined()
    assert here.asked == []


def test_leaving_twice_counts_once() -> None:
    here = Listening(5, 0)
    here.clients.joined()
    here.clients.left(1)
    here.clients.left(1)
    assert here.counts == [1, 0]
    assert len(here.clients) == 0


def test_with_a_limit_of_none_everybody_is_turned_away() -> None:
    here = Listening(0, 0)
    assert here.clients.full
    assert here.clients.joined() is None
