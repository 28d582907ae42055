# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon of a few lines: the real server end of a connection, with answers that a test writes down."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from virtproxy.auth.tls import ServerTls
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import programs, remote
from virtproxy.protocol.schema import Procedure, error_frame
from virtproxy.rpc.acceptor import Acceptor
from virtproxy.rpc.server import ServerConnection, ServerSettings
from virtproxy.rpc.transport import SocketTransport
from virtproxy.wire.frame import CONTINUE, STREAM, Frame, pack

Answer = Callable[[Any], Any]
# Returned by an answer: no reply now.
LATER = object()


class ScriptedSession:
    """Serves one client from the script; keeps what came for the test to look at."""

    def __init__(self, script: Script, connection: ServerConnection) -> None:
        self.script = script
        self.connection = connection
        self.calls: list[tuple[Procedure[Any, Any], Any]] = []
        self.frames: list[Frame] = []
        self.stream_frames: list[Frame] = []
        self.flow: list[str] = []
        self.lost: str | None = None
        self.passed_on = 0

    def call(self, frame: Frame) -> None:
        """Answer as the script says; what it does not know is an error."""
        procedure = programs.BY_NUMBER[frame.program].procedures[frame.procedure]
        args = procedure.decode_args(frame)
        self.calls.append((procedure, args))
        self.frames.append(frame)
        self.passed_on += 1
        try:
            answer = self.script.answers[procedure]
            value = answer(args) if callable(answer) else answer
        except (VirtError, KeyError) as failure:
            self.refuse(frame, failure if isinstance(failure, VirtError) else VirtError(3, f"not here: {failure}"))
            return
        if value is LATER:
            return
        self.connection.reply(procedure.reply_frame(frame.serial, value))
        if procedure is remote.CONNECT_CLOSE:
            self.connection.close("the client said goodbye")

    def refuse(self, frame: Frame, error: VirtError) -> None:
        """Answer a call with an error."""
        self.connection.reply(error_frame(frame.program, frame.version, frame.procedure, frame.serial, error.to_net()))

    def lane(self, frame: Frame) -> int | None:
        """There is one way only."""
        return None

    def has_room(self, lane: int | None, most: int) -> bool:
        """No call passes another."""
        return False

    def stream(self, frame: Frame) -> None:
        """Keep a stream packet."""
        self.stream_frames.append(frame)
        if self.script.on_stream is not None:
            self.script.on_stream(self, frame)

    def passage(self, head: Frame) -> Any:
        """Take every stream packet whole."""
        return None

    def client_full(self) -> None:
        """The client does not read."""
        self.flow.append("full")

    def client_drained(self) -> None:
        """The client reads again."""
        self.flow.append("drained")

    def client_lost(self, reason: str) -> None:
        """The client is gone."""
        self.lost = reason

    def event(self, event: Procedure[Any, None], message: Any) -> None:
        """Send an event."""
        self.connection.send(event.event_frame(message))

    def send_stream(self, opening: Frame, data: bytes = b"", status: int = CONTINUE, kind: int = STREAM) -> None:
        """Send a packet of the stream that the call `opening` opened."""
        number = opening.procedure
        self.connection.send(pack(opening.program, opening.version, number, kind, opening.serial, status, data))

    def fail_stream(self, opening: Frame, error: VirtError) -> None:
        """End a stream with an error."""
        self.connection.send(
            error_frame(opening.program, opening.version, opening.procedure, opening.serial, error.to_net(), STREAM)
        )


class Script:
    """What the daemon answers: procedure to value, or to a function of the arguments."""

    def __init__(self) -> None:
        self.answers: dict[Procedure[Any, Any], Any] = {
            remote.AUTH_LIST: remote.AuthListRet(types=[remote.AuthType.NONE]),
            remote.CONNECT_SUPPORTS_FEATURE: remote.ConnectSupportsFeatureRet(supported=1),
            remote.CONNECT_OPEN: None,
            remote.CONNECT_CLOSE: None,
        }
        self.on_stream: Callable[[ScriptedSession, Frame], None] | None = None
        self.sessions: list[ScriptedSession] = []

    def session(self, connection: ServerConnection) -> ScriptedSession:
        """The session of a new client."""
        made = ScriptedSession(self, connection)
        self.sessions.append(made)
        return made

    @property
    def only(self) -> ScriptedSession:
        """The session of the only client."""
        (session,) = self.sessions
        return session

    def connection(self, clock: Any, settings: ServerSettings | None = None) -> ServerConnection:
        """A server end that this script answers."""
        return ServerConnection(clock, settings or ServerSettings(), self.session)


class ScriptedDaemon:
    """A script behind a UNIX socket (or a TCP one)."""

    def __init__(
        self,
        reactor: Any,
        settings: ServerSettings | None = None,
        tcp: str | None = None,
        tls: ServerTls | None = None,
    ) -> None:
        self.script = Script()
        self.directory = Path(tempfile.mkdtemp(prefix="vp"))
        self.path = str(self.directory / "sock")
        self.transports: list[SocketTransport] = []
        self._reactor = reactor
        self._settings = settings
        self._tls = tls
        self._listener = self._bind(tcp)
        self._acceptor = Acceptor(reactor, self._listener, self._accepted)
        self._acceptor.resume()

    def _bind(self, tcp: str | None) -> socket.socket:
        if tcp is not None:
            family = socket.AF_INET6 if ":" in tcp else socket.AF_INET
            listener = socket.socket(family)
            listener.bind((tcp, 0))
        else:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.path)
        listener.listen()
        return listener

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self._listener.getsockname()[1])

    def _accepted(self, sock: socket.socket, address: object) -> None:
        transport = SocketTransport(self._reactor, sock, self._protocol())
        self.transports.append(transport)
        transport.start()

    def _protocol(self) -> Any:
        def connection(identity: Identity | None = None) -> ServerConnection:
            return self.script.connection(self._reactor, self._settings)

        return self._tls.wrap(self._reactor, "test", connection, Logger()) if self._tls else connection()

    def uri(self, more: str = "") -> str:
        """A URI that leads here."""
        return f"test+unix:///default?socket={self.path}{more}"

    def close(self) -> None:
        """Stop listening and cut every client off."""
        self._acceptor.close()
        for transport in self.transports:
            transport.abortConnection()
        shutil.rmtree(self.directory)
