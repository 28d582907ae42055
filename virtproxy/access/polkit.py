# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decides about permissions by asking polkit: what access_drivers = [ "polkit" ] means.

The access stage asks it. Each question is put to polkit anew, as libvirt does, so that a changed rule counts at once;
root is asked for too (polkit grants root everything, and a host without polkit grants nobody anything). A caller that
is no process of this host, over TCP or TLS, gets nothing: polkit knows processes only.
"""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Mapping
from typing import Any, Protocol
from weakref import WeakValueDictionary

from twisted.internet.defer import DeferredSemaphore

from virtproxy.access.acl import KINDS
from virtproxy.access.decision import Decision, Thing
from virtproxy.identity import Identity

# Questions of one caller that polkit has at a time: enough to keep it busy, few enough for others to come between.
AT_ONCE = 16


class Asks(Protocol):
    """Puts a question to polkit; None if there is no answer. auth.polkit has it."""

    async def permits(self, identity: Identity, action: str, details: Mapping[str, str]) -> bool | None: ...


class PolkitDecider:
    """One a daemon; implements decision.Decider."""

    def __init__(self, polkit: Asks) -> None:
        self._polkit = polkit
        # By caller, while it has questions.
        self._turns: WeakValueDictionary[Hashable, DeferredSemaphore] = WeakValueDictionary()

    def profile(self, identity: Identity) -> Hashable:
        """Callers differ in whether polkit can be asked about them at all."""
        return identity.is_process

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        """Nothing is certain before polkit was asked, except that nobody is asked for a caller without a process."""
        return None if identity.is_process else False

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision | Coroutine[Any, Any, Decision]:
        """Ask polkit about one permission on one thing."""
        kind = KINDS.get(thing.kind)
        if kind is None or permission not in kind.permissions:
            return Decision(False, f"polkit: no action for {thing.kind}:{permission}")
        if not identity.is_process:
            return Decision(False, "polkit: the caller is no process of this host")
        details = {"connect_driver": thing.driver, **dict(thing.details)}
        return self._ask(identity, kind.action(permission), details)

    async def _ask(self, identity: Identity, action: str, details: Mapping[str, str]) -> Decision:
        caller = (identity.pid, identity.process_start_time, identity.uid)
        turns = self._turns.get(caller)
        if turns is None:
            turns = self._turns[caller] = DeferredSemaphore(AT_ONCE)
        await turns.acquire()
        try:
            answer = await self._polkit.permits(identity, action, details)
            return Decision(answer is True, f"polkit {action}" if answer is not None else f"polkit {action}: no answer")
        finally:
            turns.release()
