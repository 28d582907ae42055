# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fixtures of routing/ and a proxy with access rules before the test driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.routing.conftest import MakeProxy, run
from tests.routing.rules.document_trying import Allowing, Daemon, Tried, inline
from tests.routing.test_session import Daemons
from tests.support.proxy import Proxy
from virtproxy.access.decision import Decider
from virtproxy.access.owners import Owners
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.locals import local_drivers
from virtproxy.routing.rules.access import AccessRule
from virtproxy.routing.rules.documents import Documents

Guarded = Callable[..., Proxy]


@pytest.fixture
def guarded(loop: Any) -> Iterator[Guarded]:
    """Makes proxies that enforce the rules of a decider in front of the test driver or of `sockets`."""
    made: list[Proxy] = []

    def make(decider: Decider, *, hides: bool = True, owners: Owners | None = None, **more: Any) -> Proxy:
        rule = AccessRule(decider, hides=hides, owners=owners)
        row = ROWS["virtproxyd"]
        sockets = more.pop("sockets", {})
        made.append(Proxy(loop, sockets, local=local_drivers(row), stages=(rule,), **more))
        return made[-1]

    yield make
    for proxy in made:
        run(proxy.close())


@pytest.fixture
def trying(make_proxy: MakeProxy, daemons: Daemons) -> Callable[..., Any]:
    async def tried(*patterns: str, reporting: bool = False, **answers: Any) -> Tried:
        judge = Allowing(*patterns)
        judge.reporting = reporting
        sockets = {driver: daemon.path for driver, daemon in daemons.items()}
        for driver in ("storage", "nodedev", "nwfilter", "secret", "interface"):
            sockets[driver] = sockets["network"]
        proxy = make_proxy(
            sockets=sockets, stages=[Documents(judge, None, lambda session: cast(Any, Daemon(**answers)), inline)]
        )
        return Tried(await proxy.client("qemu:///system"), judge, daemons)

    return tried
