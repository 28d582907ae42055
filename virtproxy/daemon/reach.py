# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon reaches: the drivers in its own process and in other daemons, put together as its row says.

Called by ``service`` once. Nothing is loaded, opened or started here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from virtproxy.daemon.catalogue import Kind
from virtproxy.daemon.drivers import others
from virtproxy.daemon.locals import LATE, LocalDrivers, local_drivers
from virtproxy.daemon.parts import comeback
from virtproxy.daemon.paths import Places
from virtproxy.daemon.peers import Peers
from virtproxy.daemon.plan import Plan
from virtproxy.daemon.scenario_file import has_scenario
from virtproxy.daemon.session_starts import SessionStarts
from virtproxy.routing.families import daemon_of, is_driver_name
from virtproxy.routing.router import Router
from virtproxy.routing.system_token import SystemToken
from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.session_daemon import find_daemon

if TYPE_CHECKING:
    from virtproxy.driver import Place


def reach(
    plan: Plan, reactor: StreamReactor, poller: StreamReactor, make: Callable[..., Router] = Router
) -> tuple[LocalDrivers, Router]:
    """Return the daemon's drivers and its router. ``reactor`` is a whole one; backends use ``poller``."""
    peers = Peers()
    late = frozenset() if has_scenario(plan.settings) else LATE
    drivers = local_drivers(plan.row, lambda: driver_place(plan, reactor, peers), late)
    relays = plan.row.kind is Kind.PROXY
    router = make(
        poller,
        plan.places.mode,
        {driver: path for driver, path in plan.backends.items() if relays or driver in plan.row.forwards},
        drivers,
        # A system's daemons are the administrator's to start; a user's are started when they are needed.
        None if plan.places.is_system else SessionStarts().start,
        comeback=comeback(plan.settings),
        opens_relayed=relays,
        elsewhere=further_sockets(plan.places) if relays else lambda driver: None,
        own_families=drivers.families,
        token=SystemToken(plan.places.run_dir),
    )
    peers.router = router
    return drivers, router


def further_sockets(where: Places) -> Callable[[str], str | None]:
    """Return what finds the sockets of drivers that are none of libvirt's: those that are there.

    A user's proxy also names those of drivers whose package is installed beside it: their daemons can be started. No
    other program is, whatever a client names.
    """

    def find(driver: str) -> str | None:
        if not is_driver_name(driver):
            return None
        path = where.driver_socket(driver)
        if os.path.exists(path):
            return path
        startable = not where.is_system and driver in others() and find_daemon(daemon_of(driver), os.environ)
        return path if startable else None

    return find


def driver_place(plan: Plan, reactor: Any, peers: Peers) -> Place:
    """Return where the drivers of a daemon live; ``reactor`` is a whole one."""
    from virtproxy.driver import Place

    where = plan.places
    return Place(
        mode=where.mode,
        config=where.config_dir,
        state=where.data_dir,
        run=where.run_dir,
        cache=where.cache_dir,
        log=where.log_dir,
        privileged=where.is_system,
        reactor=reactor,
        settings=MappingProxyType({**plan.settings.values(), **plan.drivers.values}),
        asker=peers.ask,
    )
