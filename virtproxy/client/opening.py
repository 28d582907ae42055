# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a URI to an open client: dial, authenticate, open.

``virtproxy.client.connect`` is this file's ``connect``; ``aio`` calls it for asyncio.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred

from virtproxy.auth.sasl.client import Credentials
from virtproxy.client.adoption import Adopt, for_twisted
from virtproxy.client.client import Client
from virtproxy.client.dial import ConnectError, Reactor, dial, dialled
from virtproxy.client.sasl import log_in_by_sasl
from virtproxy.client.uri import RemoteUri, parse
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.features import Feature
from virtproxy.rpc.client import ClientConnection

CONNECT_SECONDS = 30.0
OPEN_READONLY = 1


@dataclass(frozen=True, slots=True)
class Wishes:
    """What ``connect`` was asked for besides the URI; times in seconds."""

    readonly: bool = False
    timeout: float | None = CONNECT_SECONDS
    keepalive_interval: float = 5.0
    keepalive_count: int = 5
    credentials: Credentials | None = None
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))


class Connecting:
    """What ``connect`` returns: await it for a Client, or use it as a block that closes the client at its end."""

    def __init__(self, reactor: Reactor, uri: str, wishes: Wishes, adopt: Adopt) -> None:
        self._reactor, self._uri, self._wishes, self._adopt = reactor, uri, wishes, adopt
        self._client: Client | None = None

    def __await__(self) -> Generator[Any, Any, Client]:
        return self._adopt(_open(self._reactor, self._uri, self._wishes, self._adopt)).__await__()

    async def __aenter__(self) -> Client:
        self._client = await self
        return self._client

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()


def connect(
    reactor: Reactor,
    uri: str,
    *,
    readonly: bool = False,
    timeout: float | None = CONNECT_SECONDS,
    keepalive_interval: float = 5.0,
    keepalive_count: int = 5,
    credentials: Credentials | None = None,
) -> Connecting:
    """Connect to the daemon that serves ``uri`` and open it.

    The URI is libvirt's, over UNIX sockets, TCP and TLS: ``qemu:///system``, ``test+unix:///default?socket=/path``,
    ``qemu+tcp://host:16509/system``, ``qemu+tls://host/system?pkipath=/dir``; an empty one lets the local daemon
    choose. ``timeout`` is for all of it, in seconds, None for no limit; ``keepalive_interval`` is how many seconds of
    silence are checked by a ping (0 never), ``keepalive_count`` how many pings may stay unanswered. A daemon that asks
    for SASL gets the ``credentials``, or without them the Kerberos ticket; ``?auth=sasl.GSSAPI`` names the mechanism.

    Raises UriError, ConnectError, or VirtError as the daemon sent it.
    """
    wishes = Wishes(readonly, timeout, keepalive_interval, keepalive_count, credentials)
    return Connecting(reactor, uri, wishes, for_twisted)


async def _open(reactor: Reactor, text: str, wishes: Wishes, adopt: Adopt) -> Client:
    uri = parse(text)
    connection = ClientConnection(
        reactor, keepalive_interval=wishes.keepalive_interval, keepalive_count=wishes.keepalive_count
    )
    where = dialled(uri, wishes.readonly, wishes.environ)
    steps = Deferred.fromCoroutine(_enter(reactor, connection, uri, wishes, where))
    if wishes.timeout is not None:
        steps.addTimeout(wishes.timeout, reactor, lambda result, seconds: _too_late(where, seconds))
    try:
        await steps
    except BaseException:
        connection.abort("it could not be opened")
        raise
    return Client(connection, reactor, text, adopt)


def _too_late(where: str, seconds: float) -> None:
    raise ConnectError(f"{where} did not answer within {seconds:g} s", ErrorCode.OPERATION_TIMEOUT)


async def _enter(reactor: Reactor, connection: ClientConnection, uri: RemoteUri, wishes: Wishes, where: str) -> None:
    await dial(reactor, connection, uri, wishes.readonly, wishes.environ)
    await _authenticate(reactor, connection, uri, wishes, where)
    if wishes.keepalive_interval > 0:
        await _agree_on_keepalive(connection)
    flags = OPEN_READONLY if wishes.readonly else 0
    await connection.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=uri.name, flags=flags))


async def _authenticate(
    reactor: Reactor, connection: ClientConnection, uri: RemoteUri, wishes: Wishes, where: str
) -> None:
    offered = (await connection.call(remote.AUTH_LIST, None)).types
    if remote.AuthType.SASL in offered:
        await log_in_by_sasl(reactor, connection, uri, wishes.credentials, where)
    elif remote.AuthType.NONE not in offered:
        wanted = " or ".join(kind.name.lower() for kind in offered)
        raise ConnectError(
            f"{where} wants authentication by {wanted}, which this client cannot do yet", ErrorCode.AUTH_UNAVAILABLE
        )


async def _agree_on_keepalive(connection: ClientConnection) -> None:
    """A daemon pings only who asked for the feature, and answers our pings only if it has it."""
    feature = remote.ConnectSupportsFeatureArgs(feature=Feature.PROGRAM_KEEPALIVE)
    if (await connection.call(remote.CONNECT_SUPPORTS_FEATURE, feature)).supported:
        connection.start_keepalive()
