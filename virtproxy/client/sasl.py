# SPDX-License-Identifier: LGPL-2.1-or-later
"""Logs a client in by SASL, as its URI and its caller say.

``opening`` calls it where a daemon asks for SASL. The conversation itself is ``auth.sasl.client``.
"""

from __future__ import annotations

import socket
from functools import partial

from twisted.internet.threads import deferToThreadPool

from virtproxy.auth.sasl.client import Credentials, log_in
from virtproxy.auth.sasl.library import SaslSetupError
from virtproxy.auth.sasl.negotiation import SaslError
from virtproxy.client.dial import ConnectError, Reactor
from virtproxy.client.uri import RemoteUri
from virtproxy.protocol.errors import ErrorCode
from virtproxy.rpc.client import ClientConnection


async def log_in_by_sasl(
    reactor: Reactor, connection: ClientConnection, uri: RemoteUri, credentials: Credentials | None, where: str
) -> None:
    """Log in; raises ConnectError, or VirtError as the daemon sent it."""
    kind, _, mechanism = uri.parameters.get("auth", "sasl").partition(".")
    if kind != "sasl":
        raise ConnectError(f"{where} wants authentication by sasl, not by {kind}", ErrorCode.AUTH_UNAVAILABLE)
    try:
        await log_in(
            connection,
            uri.host or socket.gethostname(),
            encrypted=uri.transport != "tcp",
            in_thread=partial(deferToThreadPool, reactor, reactor.getThreadPool()),
            mechanism=mechanism or None,
            credentials=credentials,
        )
    except (SaslError, SaslSetupError) as failure:
        raise ConnectError(f"{where}: {failure}", ErrorCode.AUTH_FAILED) from failure
