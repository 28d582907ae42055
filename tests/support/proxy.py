# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole proxy in this process: real sockets, a session per client, scripted daemons behind it."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from virtproxy.auth.gate import Gate, Phase
from virtproxy.auth.peercred import identity_of_unix
from virtproxy.daemon.parts import Parts
from virtproxy.protocol import remote
from virtproxy.routing.opening import DaemonStarter
from virtproxy.routing.router import LocalOpener
from virtproxy.routing.session import Session
from virtproxy.routing.stages import StageMaker
from virtproxy.rpc.acceptor import Acceptor
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.connect import connect_unix
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.rpc.transport import SocketTransport


class Proxy:
    """Listens on a socket of its own in front of `sockets` (driver to path)."""

    def __init__(
        self,
        reactor: Any,
        sockets: Mapping[str, str],
        *,
        local: Mapping[str, LocalOpener] | None = None,
        readonly: bool = False,
        uid: int | None = None,
        mode: str = "system",
        start: DaemonStarter | None = None,
        phase: Phase | None = None,
        stages: Sequence[StageMaker] = (),
        gate: Callable[[], Gate] | None = None,
        parts: Parts = Parts(),  # noqa: B008 -- it never changes
    ) -> None:
        self.reactor = reactor
        self.router = parts.router(reactor, mode, sockets, local or {}, start)
        self._parts = parts
        self.directory = Path(tempfile.mkdtemp(prefix="vp"))
        self.path = str(self.directory / "sock")
        self.sessions: list[Session] = []
        self.transports: list[SocketTransport] = []
        self.clients: list[ClientConnection] = []
        self._readonly = readonly
        self._uid = uid
        self._gate = gate or (lambda: Gate("none", phase))
        self._stages = stages
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self._acceptor = Acceptor(reactor, listener, self._accepted)
        self._acceptor.resume()

    def _accepted(self, sock: socket.socket, address: object) -> None:
        identity = identity_of_unix(sock, readonly=self._readonly)
        if self._uid is not None:
            identity = replace(identity, uid=self._uid)

        def session(connection: ServerConnection) -> Session:
            self.sessions.append(self._parts.session(connection, self._gate(), self.router, identity, self._stages))
            return self.sessions[-1]

        connection = self._parts.connection(self.reactor, ServerSettings(), session)
        self.transports.append(SocketTransport(self.reactor, sock, connection))
        self.transports[-1].start()

    async def client(self, uri: str | None = None, flags: int = 0) -> ClientConnection:
        """A new client; with a URI it has opened it."""
        client = ClientConnection(self.reactor)
        await connect_unix(self.reactor, self.path, client)
        self.clients.append(client)
        if uri is not None:
            await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=uri, flags=flags))
        return client

    async def close(self) -> None:
        """Cut every client off and wait until the sessions have ended."""
        self._acceptor.close()
        for client in self.clients:
            client.abort("the test is over")
        for transport in self.transports:
            transport.abortConnection()
        await settle(self.reactor)
        shutil.rmtree(self.directory)


async def settle(reactor: Any, turns: int = 10) -> None:
    """Let the loop turn, so that what was sent arrives."""
    for _ in range(turns):
        turn: Deferred[None] = Deferred()
        reactor.callLater(0.001, turn.callback, None)
        await turn
