# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the clients of each socket log in, as the plan has it: a gate for every client.

Called by ``service`` for each client whose transport is up. A new kind of login is one entry here. It must decide
about nobody: gates and logins do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from virtproxy.auth.gate import Gate
from virtproxy.auth.login import Login
from virtproxy.daemon.plan import Plan
from virtproxy.identity import Identity
from virtproxy.rpc.reactor import StreamReactor

if TYPE_CHECKING:
    from virtproxy.auth.polkit import Authority
    from virtproxy.auth.sasl.login import SaslRules

# So many logins are thought about at once. Their own threads: a password server that hangs holds up logins alone.
SASL_THREADS = 4


class Logins:
    """Makes the gates of a daemon's clients."""

    def __init__(self, plan: Plan, reactor: StreamReactor, polkit: Authority | None = None) -> None:
        self._settings = plan.settings
        self._reactor = reactor
        self._threads: ThreadPool | None = None
        # By the value of the auth settings.
        self._makers: dict[str, Callable[[], Login]] = {}
        if plan.sasl is not None:
            self._makers["sasl"] = self._sasl(plan.sasl)
        if polkit is not None:
            self._makers["polkit"] = _polkit(polkit)

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

    def close(self) -> None:
        """The daemon ends, without waiting for a login that somebody else (a password server) holds up."""
        if self._threads is not None:
            Thread(target=self._threads.stop, daemon=True).start()

    def _sasl(self, rules: SaslRules) -> Callable[[], Login]:
        # Only a daemon that asks for SASL pays for loading it.
        from virtproxy.auth.sasl.login import SaslLogin
        from virtproxy.auth.sasl.server import server

        threads = self._threads = ThreadPool(0, SASL_THREADS, "sasl")
        threads.threadFactory = _daemon_thread  # type: ignore[assignment]  # Twisted says that it is a class
        threads.start()
        in_thread: Any = partial(deferToThreadPool, cast("IReactorFromThreads", self._reactor), threads)
        return lambda: SaslLogin(server(), rules, in_thread)


def _daemon_thread(**named: Any) -> Thread:
    """A thread that does not keep the process alive."""
    return Thread(daemon=True, **named)


def _polkit(polkit: Authority) -> Callable[[], Login]:
    from virtproxy.auth.polkit_login import PolkitLogin

    return partial(PolkitLogin, polkit)
