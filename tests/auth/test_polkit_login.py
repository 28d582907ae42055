# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a login by polkit answers to each thing that polkit may say; the real one is in tests/conformance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from virtproxy.auth.login import LoginRefused
from virtproxy.auth.polkit import Authority, PolkitUnavailable, Verdict
from virtproxy.auth.polkit_login import PolkitLogin
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

CALLER = Identity(uid=1000, pid=7, process_start_time=70)


class Polkit:
    """Says what it is told to say."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str], bool]] = []

    async def check(
        self, identity: Identity, action: str, details: Mapping[str, str], *, interactive: bool = False
    ) -> Verdict:
        assert identity.is_process
        self.asked.append((action, dict(details), interactive))
        if isinstance(self.answer, Exception):
            raise self.answer
        return cast(Verdict, await self.answer if isinstance(self.answer, Deferred) else self.answer)


def login(polkit: Polkit, identity: Identity = CALLER) -> Deferred[Any]:
    """A login call under way."""
    return ensureDeferred(PolkitLogin(cast(Authority, polkit)).serve(remote.AUTH_POLKIT, None, identity))


@pytest.mark.parametrize(("readonly", "action"), [(False, "manage"), (True, "monitor")])
@pytest_twisted.ensureDeferred
async def test_let_in(readonly: bool, action: str) -> None:
    polkit = Polkit(Verdict(True))
    caller = Identity(uid=1000, pid=7, process_start_time=70, readonly_socket=readonly)
    progress = await login(polkit, caller)
    assert progress.reply == remote.AuthPolkitRet(complete=1)
    assert progress.identity is caller
    assert polkit.asked == [(f"org.libvirt.unix.{action}", {}, True)]


REFUSALS = [
    (Verdict(False), ErrorCode.AUTH_FAILED, ErrorDomain.POLKIT, "access denied by policy"),
    (Verdict(False, challenge=True), ErrorCode.AUTH_UNAVAILABLE, ErrorDomain.POLKIT, "no polkit agent available"),
    (Verdict(False, True, True), ErrorCode.AUTH_CANCELLED, ErrorDomain.POLKIT, "user cancelled"),
    (PolkitUnavailable("gone"), ErrorCode.AUTH_FAILED, ErrorDomain.RPC, "polkit cannot be asked: gone"),
]


@pytest.mark.parametrize(("answer", "code", "domain", "text"), REFUSALS)
@pytest_twisted.ensureDeferred
async def test_refused(answer: Any, code: int, domain: int, text: str) -> None:
    with pytest.raises(LoginRefused) as refusal:
        await login(Polkit(answer))
    error = refusal.value
    assert (error.code, error.domain) == (code, domain)
    assert text in (error.message or "")
    assert text in error.why
    assert error.to_net().str2 == error.why


@pytest_twisted.ensureDeferred
async def test_a_client_whose_process_is_gone_is_not_asked_about() -> None:
    polkit = Polkit(Verdict(True))
    with pytest.raises(LoginRefused, match="authentication failed"):
        await login(polkit, Identity(uid=1000, pid=7))
    assert polkit.asked == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_gives_up() -> None:
    waiting = login(Polkit(Deferred()))
    waiting.cancel()
    with pytest.raises(CancelledError):
        await waiting
