# SPDX-License-Identifier: LGPL-2.1-or-later
"""Dials a daemon: a UNIX socket, TCP or TLS.

``opening`` calls it. It connects bytes to bytes and says nothing of the protocol.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
)
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool

from virtproxy.client.places import local_socket
from virtproxy.client.uri import RemoteUri
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.rpc import session_daemon
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.connect import connect_unix
from virtproxy.rpc.local_socket import LocalSocket


class Reactor(IReactorFDSet, IReactorTime, IReactorTCP, IReactorPluggableNameResolver, IReactorThreads):
    """What this room needs of a reactor; every Twisted reactor on Linux provides it."""


class ConnectError(VirtError):
    """Nobody could be reached, or what was reached does not let this client in; the message says whom and why."""

    def __init__(self, message: str, code: int = ErrorCode.SYSTEM_ERROR) -> None:
        super().__init__(code, message, domain=ErrorDomain.RPC)


def dialled(uri: RemoteUri, readonly: bool, environ: Mapping[str, str]) -> str:
    """Return in words what ``dial`` connects to. Raises UriError."""
    if uri.transport == "unix":
        return f"socket '{_socket(uri, readonly, environ).path}'"
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    return f"{host}:{uri.port} ({uri.transport})"


async def dial(
    reactor: Reactor, connection: ClientConnection, uri: RemoteUri, readonly: bool, environ: Mapping[str, str]
) -> None:
    """Connect ``connection``; raises ConnectError."""
    try:
        if uri.transport == "unix":
            await _dial_unix(reactor, connection, _socket(uri, readonly, environ))
        elif uri.transport == "tls":
            await _dial_tls(reactor, connection, uri, environ)
        else:
            await _dial_tcp(reactor, connection, uri)
    except CancelledError:
        raise
    except Exception as failure:
        where = dialled(uri, readonly, environ)
        raise ConnectError(f"cannot connect to {where}: {_reason(failure)}", _code(failure)) from failure


async def _dial_unix(reactor: Reactor, connection: ClientConnection, socket: LocalSocket) -> None:
    try:
        await connect_unix(reactor, socket.path, connection)
    except (FileNotFoundError, ConnectionRefusedError):
        if socket.daemon is None:
            raise
        await _start(reactor, socket)
        await connect_unix(reactor, socket.path, connection)


async def _start(reactor: Reactor, socket: LocalSocket) -> None:
    """Start the user's own daemon; in a thread, for it waits until the daemon listens."""
    await deferToThreadPool(
        reactor, reactor.getThreadPool(), lambda: session_daemon.connect(socket.path, socket.daemon).close()
    )


async def _dial_tcp(reactor: Reactor, protocol: Any, uri: RemoteUri) -> None:
    endpoint = HostnameEndpoint(reactor, uri.host, uri.port)
    await endpoint.connect(_One(protocol))


async def _dial_tls(reactor: Reactor, connection: ClientConnection, uri: RemoteUri, environ: Mapping[str, str]) -> None:
    # OpenSSL takes a while to load, and few connections need it.
    from virtproxy.auth.client_tls import ClientTls, client_files

    home = Path(environ["HOME"]) if environ.get("HOME") else None
    tls = ClientTls(
        client_files(uri.parameters.get("pkipath"), home),
        no_verify=uri.parameters.get("no_verify", "0") not in ("", "0"),
        no_sanity=uri.parameters.get("no_sanity", "0") not in ("", "0"),
        priority=uri.parameters.get("tls_priority"),
    )
    tls.check()
    transport, accepted = tls.wrap(reactor, uri.host, connection)
    await _dial_tcp(reactor, transport, uri)
    await accepted


def _socket(uri: RemoteUri, readonly: bool, environ: Mapping[str, str]) -> LocalSocket:
    return local_socket(uri, readonly=readonly, environ=environ, uid=os.geteuid())


def _reason(failure: Exception) -> str:
    text = failure.strerror if isinstance(failure, OSError) else None
    return text or str(failure) or type(failure).__name__


def _code(failure: Exception) -> int:
    return failure.code if isinstance(failure, VirtError) else ErrorCode.SYSTEM_ERROR


class _One(Factory):
    """Gives an endpoint the protocol that is there already."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> Any:
        """Twisted asks once the socket is connected."""
        return self._protocol
