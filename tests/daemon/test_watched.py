# SPDX-License-Identifier: LGPL-2.1-or-later
"""The eye on a connection's end."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITransport
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from virtproxy.daemon.watched import Watched


class Inner:
    """Notes what it is told; its end may fail."""

    def __init__(self, *, broken: bool = False) -> None:
        self.told: list[object] = []
        self.broken = broken

    def makeConnection(self, transport: ITransport) -> None:
        self.told.append(transport)

    def dataReceived(self, data: bytes) -> None:
        self.told.append(data)

    def connectionLost(self, reason: Failure) -> None:
        self.told.append(reason)
        if self.broken:
            raise ZeroDivisionError


def test_it_passes_everything_on_and_tells_of_the_end_last() -> None:
    inner, transport, gone = Inner(), StringTransport(), Failure(ConnectionDone())
    watched = Watched(inner, lambda: inner.told.append("ended"))
    watched.makeConnection(transport)
    watched.dataReceived(b"x")
    watched.connectionLost(gone)
    assert inner.told == [transport, b"x", gone, "ended"]


def test_the_end_is_told_whatever_happens() -> None:
    told: list[str] = []
    watched = Watched(Inner(broken=True), lambda: told.append("ended"))
    with pytest.raises(ZeroDivisionError):
        watched.connectionLost(Failure(ConnectionDone()))
    assert told == ["ended"]


def test_it_can_be_closed_before_and_after_it_is_connected() -> None:
    watched, transport = Watched(Inner(), lambda: None), StringTransport()
    watched.close("too early")
    assert not transport.disconnecting
    watched.makeConnection(transport)
    watched.close("now")
    assert transport.disconnecting
