# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the backends of this process are: one router a daemon, made from its configuration.

Sessions ask it for backends. It knows sockets and local drivers; which family goes where is in
families.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from virtproxy import errors
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Family
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.comeback import NEVER, Comeback
from virtproxy.routing.families import DRIVERS, LOCAL, Route, Target, no_daemon, relayed, served_here, target_of
from virtproxy.routing.opening import DaemonStarter, Opening
from virtproxy.routing.probe import SYSTEM_ORDER, default_uri
from virtproxy.routing.relay import RemoteBackend
from virtproxy.routing.system_token import SystemToken
from virtproxy.rpc.reactor import StreamReactor

# Makes the backend of a driver in this process: (target, flags, identity, client) -> Backend.
LocalOpener = Callable[[Target, int, Identity, BackendClient], Backend]


def _nowhere(driver: str) -> str | None:
    """Where other drivers' daemons listen: there are none."""


def _none(driver: str) -> Collection[Family]:
    """The families that a driver in this process serves: those of hypervisors only."""
    return ()


@dataclass(frozen=True, slots=True)
class Router:
    """`sockets` maps a driver to its daemon's socket; `local` the drivers that are in this process.

    `start` is only there in session mode: nobody else starts a user's own daemons. `comeback` says how long a lost
    daemon is waited for.

    `opens_relayed`: clients may open URIs of drivers that other daemons have, as a proxy lets them; otherwise those
    daemons only serve the secondary families. `elsewhere` finds the sockets of drivers that are none of libvirt's,
    `own_families` says which families a local driver serves itself. `token` is that of this host's daemons.
    """

    reactor: StreamReactor
    mode: str
    sockets: Mapping[str, str]
    local: Mapping[str, LocalOpener] = field(default_factory=dict)
    start: DaemonStarter | None = None
    comeback: Comeback = field(default_factory=Comeback)
    # How many calls each rule has refused, by the name of its module.
    refusals: Counter[str] = field(default_factory=Counter)
    # How many decisions about permissions went how: "granted", "denied", "reported" (would be denied).
    decisions: Counter[str] = field(default_factory=Counter)
    opens_relayed: bool = True
    elsewhere: Callable[[str], str | None] = _nowhere
    own_families: Callable[[str], Collection[Family]] = _none
    token: SystemToken | None = None

    def token_proves(self, shown: str) -> bool:
        """Whether who shows this token is a daemon of this host."""
        return self.token is not None and self.token.proves(shown)

    def default_uri(self) -> str:
        """The URI of a client that names none; VirtError if no daemon is there.

        A driver's own daemon has but one; libvirtd takes the first hypervisor's that it has.
        """
        if self.opens_relayed:
            return default_uri(self.mode, self.sockets.get)
        hypervisors = (*SYSTEM_ORDER, *(driver for driver in self.local if driver not in (*DRIVERS, LOCAL)))
        found = [driver for driver in hypervisors if driver in self.local] or list(self.local)
        if not found or found[0] == LOCAL:
            raise errors.no_connect("an empty URI")
        return f"{found[0]}:///{self.mode}"

    def route(self, uri: str) -> Route:
        """What a URI, as a client sends it in CONNECT_OPEN, means here; VirtError if nobody serves it."""
        target = target_of(uri)
        if target.driver in self.local:
            reached = {*self.local, *self.sockets}
            return served_here(target, self.own_families(target.driver), reached)
        known = target.driver in DRIVERS or self.socket_of(target.driver) is not None
        if not self.opens_relayed or not known:
            raise errors.no_connect(uri)
        return relayed(target)

    def socket_of(self, driver: str) -> str | None:
        """Where the daemon of a driver listens, as far as that is known."""
        path = self.sockets.get(driver)
        return self.elsewhere(driver) if path is None and driver not in DRIVERS else path

    def backend(
        self, target: Target, flags: int, identity: Identity, client: BackendClient, *, comes_back: bool = True
    ) -> Backend:
        """A backend for `target`, not opened yet; VirtError if nothing serves its driver.

        With `comes_back` it is waited for, as `comeback` says, when it is lost.
        """
        opener = self.local.get(target.driver)
        if opener is not None:
            return opener(target, flags, identity, client)
        path = self.socket_of(target.driver)
        if path is None:
            raise no_daemon(target.driver)
        comeback = self.comeback if comes_back else NEVER
        return RemoteBackend(self.reactor, Opening(target, path, flags, identity), client, self.start, comeback)
