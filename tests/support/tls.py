# SPDX-License-Identifier: LGPL-2.1-or-later
"""A TLS port with nothing behind it but an echo, and clients that knock at it.

The tests of auth use it. The port is on loopback, its number is the kernel's choice; `close` ends everything.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor as installed
from twisted.internet.interfaces import IConsumer, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, Logger, formatEvent
from zope.interface import implementer

from virtproxy.auth.tls import ServerTls
from virtproxy.identity import Identity
from virtproxy.rpc.acceptor import Acceptor
from virtproxy.rpc.transport import SocketTransport

reactor: Any = installed
REFUSED, ACCEPTED = b"", b"\x01"
PATIENCE = 10.0


@implementer(IPushProducer)
class Echo(Protocol):
    """Sends back what comes; a producer of its transport, as every connection of ours is."""

    def connectionMade(self) -> None:
        cast(IConsumer, self.transport).registerProducer(self, True)

    paused = False

    def pauseProducing(self) -> None:
        """The transport is full; an echo cannot help it."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The transport has room."""
        self.paused = False

    def stopProducing(self) -> None:
        """The transport is gone."""

    def send(self, data: bytes) -> None:
        """Send `data`, asked or not."""
        assert self.transport is not None
        self.transport.write(data)

    def farewell(self, data: bytes) -> None:
        """Send `data` and close."""
        assert self.transport is not None
        self.send(data)
        self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class TlsPort:
    """A listening socket whose clients go through one ServerTls; `log` holds what was logged about them."""

    def __init__(self, tls: ServerTls, clock: IReactorTime | None = None) -> None:
        self.tls = tls
        self.log: list[str] = []
        self.identities: list[Identity] = []
        self.protocols: list[Echo] = []
        self._clock = clock or reactor
        self._logger = Logger(namespace="test", observer=self._observe)  # type: ignore[arg-type]  # a plain callable
        listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[SocketTransport] = []
        self.port: int = listener.getsockname()[1]
        self._acceptor = Acceptor(reactor, listener, self._knocked)
        self._acceptor.resume()

    def _knocked(self, sock: socket.socket, address: Any) -> None:
        protocol = self.tls.wrap(self._clock, f"{address[0]}:{address[1]}", self._connected, self._logger)
        transport = SocketTransport(reactor, sock, protocol)
        self._transports.append(transport)
        transport.start()

    def _connected(self, identity: Identity) -> Protocol:
        self.identities.append(identity)
        self.protocols.append(Echo())
        return self.protocols[-1]

    def _observe(self, event: LogEvent) -> None:
        assert "log_failure" not in event
        self.log.append(formatEvent(event))

    async def logged(self, text: str) -> str:
        """The first line of the log with `text` in it, once it is there."""
        await self.until(lambda: any(text in line for line in self.log))
        return next(line for line in self.log if text in line)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the reactor run until `condition` holds."""
        for _ in range(int(PATIENCE / 0.01)):
            if condition():
                return
            await deferLater(reactor, 0.01)
        raise AssertionError(f"it did not come to that; the log: {self.log}")

    @property
    def open_clients(self) -> int:
        """How many connections are still open here."""
        return sum(not transport.disconnected for transport in self._transports)

    async def close(self) -> None:
        """Close the port and every connection."""
        self._acceptor.close()
        for transport in self._transports:
            transport.abortConnection()
        await self.until(lambda: not self.open_clients)


def knock_with_openssl(port: int, directory: Path, stem: str | None, version: ssl.TLSVersion | None = None) -> bytes:
    """Connect with Python's ssl and the pair `stem` (None: no certificate); what the server sent first, or b""."""
    context = plain_context(directory, version)
    if stem is not None:
        context.load_cert_chain(directory / f"{stem}cert.pem", directory / f"{stem}key.pem")
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        try:
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                return tls.recv(1)
        except (ssl.SSLError, ConnectionResetError):
            return REFUSED


def plain_context(directory: Path, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client's context that trusts the authority of `directory` and speaks one version, or any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # a client that would show any certificate
    if version is not None:
        context.minimum_version = context.maximum_version = version
    context.load_verify_locations(directory / "cacert.pem")
    return context


def knock_with_gnutls(port: int, directory: Path, stem: str | None, priority: str = "NORMAL") -> bytes:
    """The same with gnutls-cli, the library that real libvirt clients use."""
    command = ["gnutls-cli", "--logfile=/dev/null", "--x509cafile", str(directory / "cacert.pem")]
    command += ["--priority", priority, "--port", str(port), "localhost"]
    if stem is not None:
        command += ["--x509certfile", str(directory / f"{stem}cert.pem")]
        command += ["--x509keyfile", str(directory / f"{stem}key.pem")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        first = client.stdout.read(1)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(1)
        client.kill()
        return first if first == ACCEPTED else REFUSED
