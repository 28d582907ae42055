# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the backends of this process are: one router a daemon, made from its configuration.

Sessions ask it for backends. It knows sockets and local drivers; which family goes where is in
families.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from virtproxy.identity import Identity
from virtproxy.routing.backend import Backend, BackendClient
from virtproxy.routing.comeback import NEVER, Comeback
from virtproxy.routing.families import Target, no_daemon
from virtproxy.routing.opening import DaemonStarter, Opening
from virtproxy.routing.probe import default_uri
from virtproxy.routing.relay import RemoteBackend
from virtproxy.rpc.reactor import StreamReactor

# Makes the backend of a driver in this process: (target, flags, identity, client) -> Backend.
LocalOpener = Callable[[Target, int, Identity, BackendClient], Backend]


@dataclass(frozen=True, slots=True)
class Router:
    """`sockets` maps a driver to its daemon's socket; `local` the drivers that are in this process.

    `start` is only there in session mode: nobody else starts a user's own daemons. `comeback` says how long a lost
    daemon is waited for.
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

    def default_uri(self) -> str:
        """The URI of a client that names none; VirtError if no daemon is there."""
        return default_uri(self.mode, self.sockets.get)

    def backend(
        self, target: Target, flags: int, identity: Identity, client: BackendClient, *, comes_back: bool = True
    ) -> Backend:
        """A backend for `target`, not opened yet; VirtError if nothing serves its driver.

        With `comes_back` it is waited for, as `comeback` says, when it is lost.
        """
        opener = self.local.get(target.driver)
        if opener is not None:
            return opener(target, flags, identity, client)
        path = self.sockets.get(target.driver)
        if path is None:
            raise no_daemon(target.driver)
        comeback = self.comeback if comes_back else NEVER
        return RemoteBackend(self.reactor, Opening(target, path, flags, identity), client, self.start, comeback)
