# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers that run in a daemon's own process, as the router opens them.

Called by ``service``. A driver is loaded when the first client asks for it: most proxies never load one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from virtproxy.daemon.catalogue import Row
from virtproxy.identity import Identity
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.router import LocalOpener

if TYPE_CHECKING:
    from virtproxy.driver import Driver
    from virtproxy.routing.families import Target


def _load_test() -> Driver:
    from virtproxy.drivers.test import TestDriver

    return TestDriver()


_LOADERS: dict[str, Callable[[], Driver]] = {"test": _load_test}


class LocalDriver:
    """Opens one driver for each client that asks; the driver itself is made once a process."""

    def __init__(self, load: Callable[[], Driver]) -> None:
        self._load = load
        self._driver: Driver | None = None

    def __call__(self, target: Target, flags: int, identity: Identity, client: BackendClient) -> Backend:
        """Return a backend for ``target``. Raises VirtError if the driver does not have its URI."""
        from virtproxy.driver.backend import LocalBackend

        if self._driver is None:
            self._driver = self._load()
        return LocalBackend(self._driver, client, identity, uri=target.uri, readonly=bool(flags & 1))


def local_drivers(row: Row) -> dict[str, LocalOpener]:
    """Return an opener for each driver that ``row`` has in its own process."""
    return {name: LocalDriver(_LOADERS[name]) for name in row.local}
