# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a proxy says first on a connection to a daemon: its login, the URI, and who the client is.

The relay uses it, before any of the client's packets. The three calls are sent together, because
each round trip would delay every new client; a daemon that took a later one up before an earlier one
was done refuses it, and is asked once more in order.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.routing.answers import settled
from virtproxy.routing.families import Target
from virtproxy.routing.identity_params import identity_params
from virtproxy.rpc.client import ClientConnection, ConnectionClosed
from virtproxy.rpc.connect import connect_unix
from virtproxy.rpc.reactor import StreamReactor
from virtproxy.rpc.transport import SocketTransport

R = TypeVar("R")
# Starts a driver's daemon that does not listen: (driver, path) -> a connected socket; raises VirtError.
DaemonStarter = Callable[[str, str], Coroutine[Any, Any, socket.socket]]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a connection to a daemon is opened with."""

    target: Target
    path: str
    flags: int
    identity: Identity


async def connect_daemon(
    reactor: StreamReactor, opening: Opening, link: ClientConnection, start: DaemonStarter | None
) -> None:
    """Connect `link` to the daemon's socket, starting the daemon where `start` can; raises VirtError."""
    try:
        await connect_unix(reactor, opening.path, link)
    except OSError as failure:
        if start is None or failure.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            raise VirtError.of(
                ErrorCode.SYSTEM_ERROR,
                f"Failed to connect socket to '{opening.path}': {failure.strerror}",
                domain=ErrorDomain.RPC,
                int1=failure.errno or -1,
            ) from failure
        sock = await start(opening.target.driver, opening.path)
        SocketTransport(reactor, sock, link).start()


async def open_daemon(link: ClientConnection, opening: Opening) -> None:
    """Log in, open the URI and introduce the client; raises VirtError as the daemon says it."""

    def open_uri() -> Deferred[None]:
        args = remote.ConnectOpenArgs(name=opening.target.uri, flags=opening.flags)
        return link.call(remote.CONNECT_OPEN, args)

    def introduce_client() -> Deferred[None]:
        return introduce(link, opening.identity)

    answers = [settled(link.call(remote.AUTH_LIST)), settled(open_uri()), settled(introduce_client())]
    _check_login(_value(await answers[0]))
    await _in_order(answers[1], open_uri)
    await _in_order(answers[2], introduce_client)


def introduce(link: ClientConnection, identity: Identity) -> Deferred[None]:
    """Say who the client is; the daemon decides by that, not by the proxy's own rights."""
    args = remote.ConnectSetIdentityArgs(params=identity_params(identity), flags=0)
    return link.call(remote.CONNECT_SET_IDENTITY, args)


def _check_login(offered: remote.AuthListRet) -> None:
    if remote.AuthType.NONE not in offered.types:
        raise errors.auth_failed(
            "the daemon behind the proxy asks for a login; run the proxy as root or as the"
            " daemon's user, or set its auth_unix_rw to none"
        )


def _value(outcome: Any) -> Any:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


async def _in_order(early: Deferred[Any], again: Callable[[], Deferred[None]]) -> None:
    """Accept the early call's success; repeat it now that what comes before it is done."""
    outcome = await early
    if isinstance(outcome, VirtError) and not isinstance(outcome, ConnectionClosed):
        await again()
    else:
        _value(outcome)
