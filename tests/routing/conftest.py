# SPDX-License-Identifier: LGPL-2.1-or-later
"""A proxy and two scripted daemons for the tests of routing/."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from tests.support.proxy import Proxy, settle
from tests.support.scripted import ScriptedDaemon
from virtproxy.protocol import remote

MakeProxy = Callable[..., Proxy]


@pytest.fixture
def loop() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on the test's reactor."""
    return pytest_twisted.blockon(ensureDeferred(work))


@pytest.fixture
def daemons(loop: Any) -> Iterator[dict[str, ScriptedDaemon]]:
    """A "qemu" and a "network" daemon that know the proxy's own calls."""
    made = {driver: ScriptedDaemon(loop) for driver in ("qemu", "network")}
    for daemon in made.values():
        daemon.script.answers[remote.CONNECT_SET_IDENTITY] = None
    yield made
    for daemon in made.values():
        daemon.close()
    run(settle(loop))


@pytest.fixture
def make_proxy(loop: Any, daemons: dict[str, ScriptedDaemon]) -> Iterator[MakeProxy]:
    """Makes proxies in front of the daemons."""
    made: list[Proxy] = []

    def make(**more: Any) -> Proxy:
        sockets = more.pop("sockets", {driver: daemon.path for driver, daemon in daemons.items()})
        made.append(Proxy(loop, sockets, **more))
        return made[-1]

    yield make
    for proxy in made:
        run(proxy.close())


class Timed:
    """A reactor with a pretended clock; what is due at once is the real one's."""

    def __init__(self, reactor: Any, clock: Clock) -> None:
        self._reactor = reactor
        self._clock = clock
        self.seconds = clock.seconds

    def callLater(self, delay: float, function: Callable[..., object], *args: Any) -> Any:
        return (self._clock if delay else self._reactor).callLater(delay, function, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@pytest.fixture
def clock() -> Clock:
    """The time of the timed proxies."""
    return Clock()


@pytest.fixture
def timed_proxy(make_proxy: MakeProxy, clock: Clock, loop: Any) -> Callable[..., Proxy]:
    """Makes proxies with the pretended clock."""

    def make(**more: Any) -> Proxy:
        proxy = make_proxy(**more)
        proxy.router = replace(proxy.router, reactor=Timed(loop, clock))
        return proxy

    return make
