# SPDX-License-Identifier: LGPL-2.1-or-later
"""The drivers that run in a daemon's own process: loaded, started and stopped with it, and opened by the router.

Called by ``service``. A daemon's drivers are started before it serves; the test driver, which has nothing to take up,
when the first client asks for it: most proxies never load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004 (Twisted's own)
from twisted.logger import Logger

from virtproxy import errors
from virtproxy.daemon.catalogue import Row
from virtproxy.daemon.drivers import load, unfit
from virtproxy.daemon.failure import ExitCode, StartupError
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.programs import BY_NUMBER
from virtproxy.protocol.schema import Family
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.router import LocalOpener

if TYPE_CHECKING:
    from virtproxy.driver import Driver, Place
    from virtproxy.routing.families import Target

# Started when the first client asks.
LATE = frozenset({"test"})
# How long each driver may take to stop.
STOP_SECONDS = 30.0


class LocalDriver:
    """One driver of this process, made once; opens it for each client that asks. ``place`` is made when it is."""

    def __init__(self, scheme: str, place: Callable[[], Place | None]) -> None:
        self.scheme = scheme
        self._place = place
        # None until it is loaded.
        self.driver: Driver | None = None

    def load(self) -> Driver:
        """Return the driver, loaded now if it was not. Raises StartupError."""
        if self.driver is None:
            made = load(self.scheme)
            try:
                self.driver = made(self._place())
            except Exception as error:
                raise unfit(self.scheme, f"{type(error).__name__}: {error}") from error
        return self.driver

    def __call__(self, target: Target, flags: int, identity: Identity, client: BackendClient) -> Backend:
        """Return a backend for ``target``. Raises VirtError, here or when opened, if the driver has no such URI."""
        from virtproxy.driver.backend import LocalBackend

        try:
            driver = self.load()
        except StartupError as error:
            raise errors.internal(error.message) from error
        _check_path(driver, target.uri)
        return LocalBackend(driver, client, identity, uri=target.uri, readonly=bool(flags & 1))


class LocalDrivers(Mapping[str, LocalOpener]):
    """Every driver of a daemon, as the router opens them."""

    _log = Logger()

    def __init__(self, row: Row, place: Callable[[], Place | None], late: frozenset[str] = LATE) -> None:
        self._late = late
        self._drivers = {scheme: LocalDriver(scheme, place) for scheme in row.local}

    def __getitem__(self, scheme: str) -> LocalDriver:
        return self._drivers[scheme]

    def __iter__(self) -> Iterator[str]:
        return iter(self._drivers)

    def __len__(self) -> int:
        return len(self._drivers)

    def families(self, scheme: str) -> frozenset[Family]:
        """Return the families that a driver serves itself."""
        return families_of(type(self._drivers[scheme].load()))

    @property
    def patience(self) -> float:
        """How many seconds they may take to stop."""
        return STOP_SECONDS * len(self._loaded())

    def load(self) -> None:
        """Load those that do not wait for a client. Raises StartupError that says which cannot be, and why."""
        for scheme, local in self._drivers.items():
            if scheme not in self._late:
                local.load()

    async def start(self) -> None:
        """Start those that do not wait for a client. Raises StartupError that says which cannot, and why."""
        for scheme, local in self._drivers.items():
            if scheme not in self._late:
                await self._start(scheme, local.load())

    async def _start(self, scheme: str, driver: Driver) -> None:
        try:
            await driver.ready()
        except VirtError as error:
            raise _cannot_start(scheme, str(error.message)) from error
        except Exception as error:
            self._log.failure("the driver {driver} cannot start", driver=scheme)
            raise _cannot_start(scheme, f"{type(error).__name__}: {error}") from error

    async def stop(self, clock: Any) -> None:
        """Stop what was loaded, the last one first: it may need those before it. What goes wrong is logged.

        One that does not come to an end in ``STOP_SECONDS`` is left behind.
        """
        for driver in reversed(self._loaded()):
            try:
                await Deferred.fromCoroutine(driver.stop()).addTimeout(STOP_SECONDS, clock)
            except TimeoutError:
                self._log.error("the driver {driver} does not stop, and is waited for no more", driver=driver.name)
            except Exception:
                self._log.failure("the driver {driver} did not stop in order", driver=driver.name)

    async def reload(self) -> None:
        """Let each driver read again what it has read from files. What goes wrong is logged."""
        for driver in self._loaded():
            try:
                await driver.reload()
            except Exception:
                self._log.failure("the driver {driver} could not reload", driver=driver.name)

    def busy(self) -> int:
        """Return how much the daemon must not be ended for although nobody is connected."""
        return sum(map(self._busy, self._loaded()))

    def _busy(self, driver: Driver) -> int:
        try:
            return driver.busy()
        except Exception:
            self._log.failure("the driver {driver} does not know whether it is busy", driver=driver.name)
            return 1

    def _loaded(self) -> list[Driver]:
        return [local.driver for local in self._drivers.values() if local.driver is not None]


def _check_path(driver: Driver, uri: str) -> None:
    """Drivers that say nothing about their URIs have those of the daemon's mode only, as libvirt's have."""
    from virtproxy.driver import Driver

    path, mode = urlsplit(uri).path, driver.place.mode
    if type(driver).check_uri is Driver.check_uri and path != f"/{mode}":
        what = f"unexpected {driver.name} URI path '{path}', try {driver.name}:///{mode}"
        raise errors.internal(what, driver.error_domain)


def _cannot_start(scheme: str, why: str) -> StartupError:
    return StartupError(f"the driver {scheme} cannot start: {why}", ExitCode.DRIVER)


def families_of(driver: type[Driver]) -> frozenset[Family]:
    """Return the families of the procedures that a driver serves."""
    return frozenset(BY_NUMBER[program].procedures[number].family for program, number in driver.methods)


def local_drivers(
    row: Row, place: Callable[[], Place | None] = lambda: None, late: frozenset[str] = LATE
) -> LocalDrivers:
    """Return the drivers that ``row`` has in its own process; nothing is loaded yet. ``late`` wait for a client."""
    return LocalDrivers(row, place, late)
