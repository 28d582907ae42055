# SPDX-License-Identifier: LGPL-2.1-or-later
"""One client's login: what SASL and polkit each provide, and what the daemon makes of it.

The daemon gives the gate of each client that has to say who it is a `Login` of its own; the edge (routing) serves
the client's login calls with it, one at a time. A Login sends nothing itself and lets nobody in: it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.schema import Procedure
from virtproxy.rpc.security_layer import SecurityLayer


@dataclass(frozen=True, slots=True)
class Progress:
    """The answer to one login call.

    `identity` is None while the login has to go on; otherwise it is complete, and this is who the client is from now
    on. `layer` protects every byte after the reply, in both directions.
    """

    reply: Any
    identity: Identity | None = None
    layer: SecurityLayer | None = None


class Login(Protocol):
    """One client's way of proving who it is."""

    async def serve(self, procedure: Procedure[Any, Any], args: Any, identity: Identity) -> Progress:
        """Answer a login call of the gate's row with the decoded `args`; `identity` is what is known so far.

        Raises LoginRefused; the client may begin again. Cancelled when the client goes away.
        """
        ...

    def close(self) -> None:
        """The client is gone or let in: forget what was negotiated. May be called twice."""


class LoginRefused(VirtError):
    """A login that failed. The client never learns why (as with libvirt); `why` is for the log, without secrets."""

    def __init__(self, why: str) -> None:
        like = errors.auth_failed("authentication failed")
        super().__init__(like.code, like.message, domain=like.domain, str1=like.str1, str2=like.str2)
        # A client may have had a hand in it: nothing of it shall look like another line of the log.
        self.why = "".join(part if part.isprintable() else repr(part)[1:-1] for part in why)
