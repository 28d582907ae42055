# SPDX-License-Identifier: LGPL-2.1-or-later
"""The login of a UNIX client by polkit: its process may manage this host's guests, or only watch them, or neither.

daemon.logins makes one for each client of a socket with auth_unix_rw or auth_unix_ro = "polkit". polkit may ask a
human for a password meanwhile. It never sends anything.
"""

from __future__ import annotations

from typing import Any

from virtproxy.auth.login import LoginRefused, Progress
from virtproxy.auth.polkit import Authority, PolkitUnavailable
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure

MANAGE = "org.libvirt.unix.manage"
MONITOR = "org.libvirt.unix.monitor"


class PolkitRefused(LoginRefused):
    """A refusal as libvirt's clients know it: its code tells virsh to start an agent that asks for the password."""

    def __init__(self, code: ErrorCode, detail: str, domain: ErrorDomain = ErrorDomain.POLKIT) -> None:
        super().__init__(detail)
        said = VirtError.of(code, detail, domain=domain)
        self.code, self.domain, self.message = said.code, said.domain, said.message
        self.str1, self.str2 = said.str1, said.str2


class PolkitLogin:
    """Implements auth.login.Login."""

    def __init__(self, polkit: Authority) -> None:
        self._polkit = polkit

    async def serve(self, procedure: Procedure[Any, Any], args: Any, identity: Identity) -> Progress:
        """Answer AUTH_POLKIT. Raises LoginRefused; cancelled when the client goes away."""
        if not identity.is_process:
            raise LoginRefused("the client is no process that polkit could be asked about, or has ended")
        action = MONITOR if identity.readonly_socket else MANAGE
        try:
            verdict = await self._polkit.check(identity, action, {}, interactive=True)
        except PolkitUnavailable as failure:
            # Not polkit's own domain: virsh would try again at once, five times.
            raise PolkitRefused(ErrorCode.AUTH_FAILED, f"polkit cannot be asked: {failure}", ErrorDomain.RPC) from None
        if verdict.authorized:
            return Progress(remote.AuthPolkitRet(complete=1), identity)
        if verdict.dismissed:
            raise PolkitRefused(ErrorCode.AUTH_CANCELLED, "user cancelled authentication process")
        if verdict.challenge:
            raise PolkitRefused(
                ErrorCode.AUTH_UNAVAILABLE, f"no polkit agent available to authenticate action '{action}'"
            )
        raise PolkitRefused(ErrorCode.AUTH_FAILED, "access denied by policy")

    def close(self) -> None:
        """There is nothing to forget."""
