# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon as one thing: its listeners, its clients, its router.

``lifecycle`` opens, starts and stops it. Each accepted socket becomes a connection with a session of its own;
from there on ``rpc`` and ``routing`` have it. It must not read the configuration: the plan has everything.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.logger import Logger

from virtproxy.auth.peercred import identity_of_unix
from virtproxy.daemon.admin import AdminServer
from virtproxy.daemon.admin_calls import AdminCalls, Life
from virtproxy.daemon.admin_servers import Server, Servers
from virtproxy.daemon.clients import Clients
from virtproxy.daemon.drain import Drain
from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.insight import Insight
from virtproxy.daemon.late import audit_of, certificates_of, measuring_of
from virtproxy.daemon.listeners import Listeners, inet_name
from virtproxy.daemon.login_limit import LoginLimit
from virtproxy.daemon.logins import Logins
from virtproxy.daemon.metrics import Metrics, declare_daemon
from virtproxy.daemon.metrics_state import State
from virtproxy.daemon.parts import parts
from virtproxy.daemon.plan import Plan
from virtproxy.daemon.policy_file import policy_file
from virtproxy.daemon.polkit import polkit_authority
from virtproxy.daemon.present import Present
from virtproxy.daemon.reach import reach
from virtproxy.daemon.rules import stage_makers
from virtproxy.daemon.watched import Watched
from virtproxy.daemon.workers import workers_of
from virtproxy.identity import Caller, Identity
from virtproxy.protocol import admin, insight
from virtproxy.routing.session import Session
from virtproxy.rpc.poller import Poller
from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.rpc.transport import SocketTransport, StreamProtocol
from virtproxy.wire.limits import LOGIN_PACKET_MAX

if TYPE_CHECKING:
    from virtproxy.daemon.log import DaemonLog


class Service:
    """Serves the clients of one daemon as ``plan`` says. ``changed`` is called with the number of clients.

    ``log`` is where the daemon logs to. ``life`` is what administrators may change of the daemon; without one
    they may call nothing.
    """

    _log = Logger()

    def __init__(
        self,
        plan: Plan,
        reactor: StreamReactor,
        changed: Callable[[int], None] = lambda count: None,
        log: DaemonLog | None = None,
        life: Life | None = None,
    ) -> None:
        settings = plan.settings
        self.log = log
        self._plan = plan
        self._reactor = reactor
        # Clients and backends share it; only listening sockets and timers are the reactor's own.
        self._poller = Poller(reactor, settings.number("busy_poll_us"))
        self._parts = parts(measured=plan.metrics is not None)
        self.drivers, self._router = reach(plan, reactor, self._poller, self._parts.router)
        self._settings = ServerSettings(
            max_requests=settings.number("max_client_requests"),
            keepalive_interval=settings.number("keepalive_interval"),
            keepalive_count=settings.number("keepalive_count"),
        )
        self._polkit = polkit_authority(settings, reactor)
        # Outermost, so that it sees what every other rule says.
        self.audit = audit_of(plan, reactor)
        self._stages = (*(() if self.audit is None else self.audit.stages), *stage_makers(plan, self._polkit))
        self._logins = Logins(plan, reactor, self._polkit)
        self.listeners = Listeners(reactor, settings.number("max_queued_clients"), self._accepted)
        self.clients = Clients(
            settings.number("max_clients"),
            settings.number("max_anonymous_clients"),
            self._accept,
            changed,
            LoginLimit(reactor, settings.number("auth_timeout"), self._waits_for_login, self._too_slow),
        )
        self.certificates = certificates_of(plan, reactor)
        self.metrics = Metrics()
        declare_daemon(self.metrics, plan.row.name, self.clients, self._router.refusals, self.certificates)
        self._measuring = measuring_of(plan, reactor, self.metrics, self._parts.measurements, self._state())
        # By client number.
        self.present: dict[int, Present[Session]] = {}
        self.drain = Drain(reactor, settings.number("drain_timeout"), self.present, self._nobody_is_left)
        self._policy_file = None if plan.policy is None else policy_file(plan.policy, reactor, self._rules_changed)
        self.workers = workers_of(settings, reactor)
        self.insight = Insight(reactor)
        self.admin = AdminServer(plan, reactor, life, self.drain.left)
        self.drain.others = self.admin.ends
        if self.audit is not None:
            self.admin.witness = self.audit.administered
        self.admin.serve(insight.PROGRAM, self.insight.answers())
        if life is not None:
            every = Server(plan.row.server_names[0], self.clients, self.present, self.workers, self.certificates)
            self.admin.serve(admin.PROGRAM, AdminCalls(Servers(every, self.admin.server), life).answers())

    def _state(self) -> State:
        """What metrics tell of."""
        return State(
            self._plan.settings,
            self.clients,
            lambda: [client.session for client in self.present.values() if client.session is not None],
            lambda: self.listeners.queued,
            self._router,
            self._stages,
            self.log,
        )

    def open(self) -> None:
        """Listen, without accepting yet. Raises SocketError, StartupError."""
        if self.audit is not None:
            self.audit.open()
        try:
            self._listen()
        except BaseException:
            if self.audit is not None:
                self.audit.abandon()
            raise

    def _listen(self) -> None:
        try:
            self.listeners.open((*self._plan.unix, *self._plan.inet))
            self.admin.open()
            if self._measuring is not None:
                self._measuring.open()
        except BaseException:
            self._stop_listening()
            raise

    def _stop_listening(self) -> None:
        self.listeners.close()
        self.admin.listeners.close()
        if self._measuring is not None:
            self._measuring.close()

    @property
    def addresses(self) -> list[tuple[UnixEndpoint | InetEndpoint, str]]:
        """What is listened on for clients and administrators."""
        return self.listeners.addresses + self.admin.listeners.addresses

    def start(self) -> None:
        """Accept clients."""
        if self._policy_file is not None:
            self._policy_file.start()
        if self.certificates is not None:
            self.certificates.start()
        if self._measuring is not None:
            self._measuring.start()
        self.workers.start()
        self.listeners.resume()
        self.admin.start()

    async def reload_policy(self) -> None:
        """Read the policy again, if there is one; the log says what became of it."""
        if self._policy_file is not None:
            await self._policy_file.reload()

    async def reload_tls(self) -> str:
        """Read the TLS files again, for clients that come from now on; returns what became of it, as the log has it."""
        if self.certificates is None:
            return "The daemon does not speak TLS"
        return await self.certificates.reload_tls()

    def leave(self) -> bool:
        """Be gone for new clients, at once; False, and nothing has changed, if one is waiting to be accepted."""
        if not self.listeners.leave(self.admin.listeners):
            return False
        if self._measuring is not None:
            self._measuring.close()
        return True

    async def stop(self) -> None:
        """Accept nobody more, remove the sockets, let clients finish (``drain_timeout``) and say farewell to them."""
        self._stop_listening()
        if self._policy_file is not None:
            self._policy_file.stop()
        if self.certificates is not None:
            self.certificates.stop()
        if self._measuring is not None:
            self._measuring.stop()
        await self.drain.run()
        await self.drivers.stop(self._reactor)
        self.insight.close()
        self._logins.close()
        if self._polkit is not None:
            self._polkit.close()
        if self.audit is not None:
            await self.audit.close()
        # Connections that outlived the farewell still use it; the end of the reactor is theirs too.
        if not self.present:
            self._poller.close()

    def _accept(self, accept: bool) -> None:
        if accept:
            self.listeners.resume()
        else:
            self._log.warn(
                "{clients} clients, {anonymous} of them not authenticated: new ones wait "
                "(max_clients, max_anonymous_clients)",
                clients=len(self.clients),
                anonymous=self.clients.anonymous,
            )
            self.listeners.pause()

    def _accepted(self, sock: socket.socket, address: object, endpoint: UnixEndpoint | InetEndpoint) -> None:
        number = self.clients.joined()
        where = ("unix", "") if isinstance(endpoint, UnixEndpoint) else (endpoint.transport, inet_name(address))
        if number is None:
            self._log.warn("a client was turned away: max_clients are connected")
            self._turned_away(None, *where, "max_clients are connected")
            sock.close()
            return
        self.present[number] = Present(number, *where)
        try:
            self._serve(number, sock, address, endpoint)
        except Exception:
            self._log.failure("a client could not be served")
            sock.close()
            self._left(number)

    def _serve(self, number: int, sock: socket.socket, address: object, endpoint: UnixEndpoint | InetEndpoint) -> None:
        if isinstance(endpoint, UnixEndpoint):
            auth = "auth_unix_ro" if endpoint.readonly else "auth_unix_rw"
            identity = identity_of_unix(sock, endpoint.readonly)
            if not self._plan.places.is_system and identity.uid != os.geteuid():
                self._somebody_else(Caller(number, identity), sock)
                return
            self._begin(number, sock, self._connection(number, auth, identity), identity)
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = inet_name(address)
        if endpoint.transport == "tcp":
            identity = Identity(transport="tcp", address=peer)
            self._begin(number, sock, self._connection(number, "auth_tcp", identity), identity)
        else:
            self._serve_tls(number, sock, peer)

    def _somebody_else(self, caller: Caller, sock: socket.socket) -> None:
        """A user's own daemon serves that user, whatever the mode of its socket is."""
        why, number, peer = "this daemon serves its own user only", caller.number, caller.identity.describe()
        self._log.warn(
            "client {number} is refused: {why}; it is {peer}", number=number, why=why, peer=peer, client=caller
        )
        self._turned_away(number, "unix", peer, why)
        sock.close()
        self._left(number)

    def _begin(self, number: int, sock: socket.socket, protocol: StreamProtocol, identity: Identity) -> None:
        self.present[number].socket = sock
        SocketTransport(self._poller, sock, protocol).start()
        who = identity.describe()
        self._log.debug("client {number} connected: {who}", number=number, who=who, client=Caller(number, identity))

    def _serve_tls(self, number: int, sock: socket.socket, peer: str) -> None:
        if self.certificates is None:
            raise RuntimeError("a TLS endpoint in a plan without certificates")
        connected = partial(self._connection, number, "auth_tls")
        refused = partial(self._turned_away, number, "tls", peer)
        caller = self.present[number]
        inner = self.certificates.tls.wrap(self._reactor, peer, connected, refused=refused, client=caller)
        protocol = Watched(inner, lambda: self._left(number))
        self.present[number].end = protocol.close
        self._begin(number, sock, protocol, caller.identity)

    def _turned_away(
        self, number: int | None, transport: str, peer: str, why: str, certificate: str | None = None
    ) -> None:
        if self.audit is not None:
            self.audit.turned_away(number, transport, peer, why, certificate)

    def _connection(self, number: int, auth: str, identity: Identity) -> ServerConnection:
        """Return the connection of a client, which may still have to log in."""

        def admitted() -> None:
            self.clients.authenticated(number)
            connection.limit_packets()

        gate = self._logins.gate(auth, identity, admitted)
        connection = self._parts.connection(
            self._reactor,
            self._settings,
            lambda client: self._session(
                number, self._parts.session(client, gate, self._router, identity, self._stages, number)
            ),
            lambda client: self._left(number),
        )
        self.present[number].end = connection.close
        if gate.authenticated:
            self.clients.authenticated(number)
        else:
            connection.limit_packets(LOGIN_PACKET_MAX)
        return connection

    def _waits_for_login(self, number: int) -> bool:
        session = self.present[number].session
        return session is not None and session.client.in_flight > 0

    def _too_slow(self, number: int) -> None:
        """The client had its time to log in, or to complete the TLS handshake."""
        session = self.present[number].session
        self._log.warn(
            "client {number} is cut off: not authenticated in time (auth_timeout); {who}",
            number=number,
            who="it did not complete the TLS handshake" if session is None else session.identity.describe(),
            client=self.present[number],
        )
        self.present[number].end("not authenticated in time")

    def _session(self, number: int, session: Session) -> Session:
        self.present[number].session = session
        self.insight.joined(number, session)
        return session

    def _rules_changed(self) -> None:
        """Let what was granted and is no more act at once."""
        if self.audit is not None:
            self.audit.rules_changed()
        for client in list(self.present.values()):
            if client.session is not None:
                client.session.refresh()

    def _left(self, number: int) -> None:
        self.insight.left(number)
        client = self.present.pop(number, None)
        if client is not None:
            self._log.debug("client {number} is gone", number=number, client=client)
        self.clients.left(number)
        self.drain.left()

    def _nobody_is_left(self) -> bool:
        return not self.present and not self.admin.present
