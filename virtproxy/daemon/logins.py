# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the clients of each socket log in, as the plan has it: a gate for every client.

Called by ``service`` for each client whose transport is up. A new kind of login is one entry here. It must decide
about nobody: gates and logins do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from virtproxy.auth.gate import Gate
from virtproxy.auth.login import Login
from virtproxy.daemon.plan import Plan
from virtproxy.identity import Identity
from virtproxy.rpc.reactor import StreamReactor


class Logins:
    """Makes the gates of a daemon's clients."""

    def __init__(self, plan: Plan, reactor: StreamReactor) -> None:
        self._settings = plan.settings
        # By the value of the auth settings.
        self._makers: Mapping[str, Callable[[], Login]] = {}

    def gate(self, key: str, identity: Identity, admitted: Callable[[], None]) -> Gate:
        """Return the gate of a client that came in where the setting ``key`` says how to log in.

        ``admitted`` is called when the client is let in later; it is not if the gate is open from the start.
        """
        row = self._settings.text(key) or "none"
        if row == "polkit" and identity.transport == "unix" and identity.uid == 0:
            # Polkit would never refuse root, and libvirt does not ask it.
            row = "none"
        maker = self._makers.get(row)
        return Gate(row, login=None if maker is None else maker(), admitted=admitted)
