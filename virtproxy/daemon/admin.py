# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server named "admin": lets the daemon's own user, and nobody else, look at the daemon and change its limits.

``service`` has one. It listens on the administration socket, which the network never reaches. What its clients may
call is registered by ``serve``: the admin program of libvirt, and whatever else is for administrators only.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import Logger

from virtproxy.auth.peercred import identity_of_unix
from virtproxy.daemon.admin_calls import Life
from virtproxy.daemon.admin_servers import Server
from virtproxy.daemon.admin_session import AdminSession, Answer, Witness, nobody
from virtproxy.daemon.clients import Clients
from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.listeners import Listeners
from virtproxy.daemon.plan import Plan
from virtproxy.daemon.present import Present
from virtproxy.daemon.workers import workers_of
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure, Program
from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.rpc.transport import SocketTransport


class AdminServer:
    """Serves administrators on ``plan.admin``.

    ``life`` is told how many there are, and ``gone`` is called when one has left.
    """

    _log = Logger()

    def __init__(self, plan: Plan, reactor: StreamReactor, life: Life | None, gone: Callable[[], None]) -> None:
        settings = plan.settings
        self._plan = plan
        self._reactor = reactor
        self._programs: dict[int, tuple[Program, Mapping[Procedure[Any, Any], Answer]]] = {}
        self._settings = ServerSettings(
            max_requests=settings.number("admin_max_client_requests"),
            keepalive_interval=settings.number("admin_keepalive_interval"),
            keepalive_count=settings.number("admin_keepalive_count"),
        )
        self.listeners = Listeners(reactor, settings.number("admin_max_queued_clients"), self._accepted)
        self.clients = Clients(settings.number("admin_max_clients"), 0, self._accept, _told(life))
        # By client number.
        self.present: dict[int, Present[AdminSession]] = {}
        self.server = Server(
            plan.row.server_names[1], self.clients, self.present, workers_of(settings, reactor, "admin_")
        )
        self._gone = gone
        # Of what administrators do.
        self.witness: Witness = nobody

    def serve(self, program: Program, answers: Mapping[Procedure[Any, Any], Answer]) -> None:
        """Speak ``program`` too, with a function for each of its procedures. ValueError if its number is taken."""
        if program.number in self._programs:
            raise ValueError(f"the program {program.number} is served already")
        self._programs[program.number] = (program, answers)

    def open(self) -> None:
        """Listen, without accepting yet. Raises SocketError."""
        self.listeners.open(self._plan.admin)

    def start(self) -> None:
        """Accept administrators."""
        self.listeners.resume()

    def ends(self) -> list[Callable[[str], None]]:
        """What ends the connection of each administrator."""
        return [client.end for client in self.present.values()]

    def _accept(self, accept: bool) -> None:
        if accept:
            self.listeners.resume()
        else:
            self._log.warn("{clients} administrators: new ones wait (admin_max_clients)", clients=len(self.clients))
            self.listeners.pause()

    def _accepted(self, sock: socket.socket, address: object, endpoint: UnixEndpoint | InetEndpoint) -> None:
        number = self.clients.joined()
        if number is None:
            sock.close()
            return
        self.clients.authenticated(number)
        try:
            identity = identity_of_unix(sock, readonly=False)
            if identity.uid == os.geteuid():
                self._begin(number, sock, identity)
                return
            self._log.warn(
                "an administrator is refused: only the user of the daemon may be one; it is {who}",
                who=identity.describe(),
            )
        except Exception:
            self._log.failure("an administrator could not be served")
        sock.close()
        self._left(number)

    def _begin(self, number: int, sock: socket.socket, identity: Identity) -> None:
        def session(client: ServerConnection) -> AdminSession:
            present.session = AdminSession(client, self._programs, identity, number, self.witness)
            return present.session

        connection = ServerConnection(self._reactor, self._settings, session, lambda client: self._left(number))
        present = self.present[number] = Present[AdminSession](number, "unix", end=connection.close)
        SocketTransport(self._reactor, sock, connection).start()
        self._log.debug("administrator {number} connected: {who}", number=number, who=identity.describe())

    def _left(self, number: int) -> None:
        self.present.pop(number, None)
        self.clients.left(number)
        self._gone()


def _told(life: Life | None) -> Callable[[int], None]:
    return lambda count: None if life is None else life.idle.busy("administrators", count)
