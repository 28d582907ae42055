# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which gate a client gets, and the threads that SASL logins run in."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_twisted

from tests.support.sasl import server_of_tests
from virtproxy.auth.gate import AuthSettingError
from virtproxy.auth.sasl.login import SaslRules
from virtproxy.daemon.logins import Logins
from virtproxy.identity import Identity
from virtproxy.protocol import remote

ROOT, JOE = Identity(uid=0), Identity(uid=1000)
TCP = Identity(transport="tcp", address="127.0.0.1:9")


@pytest.fixture
def reactor() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor as installed

    return installed


def plan(auth: str, sasl: SaslRules | None = None) -> Any:
    """As much of a plan as logins look at."""
    return SimpleNamespace(settings=SimpleNamespace(text=lambda key: auth), sasl=sasl)


def test_root_is_not_asked_where_polkit_is(reactor: Any) -> None:
    polkit: Any = object()
    logins = Logins(plan("polkit"), reactor, polkit)
    assert logins.gate("auth_unix_rw", ROOT, lambda: None).auth_list() == [0]
    assert logins.gate("auth_unix_rw", JOE, lambda: None).auth_list() == [2]
    # Who says so over the network is not root here.
    assert not logins.gate("auth_unix_rw", Identity(uid=0, transport="tcp"), lambda: None).authenticated


def test_nobody_comes_in_by_what_is_not_there(reactor: Any) -> None:
    for auth in ("sasl", "polkit", "kerberos"):
        with pytest.raises(AuthSettingError):
            Logins(plan(auth), reactor).gate("auth_tcp", TCP, lambda: None)


@pytest.mark.programs("saslpasswd2")
@pytest_twisted.ensureDeferred
async def test_sasl_is_thought_about_in_a_thread_that_holds_nothing_up(reactor: Any) -> None:
    server_of_tests()
    logins = Logins(plan("sasl", SaslRules(None, 56)), reactor)
    gate = logins.gate("auth_tcp", TCP, lambda: None)
    assert gate.login is not None
    offered = await gate.login.serve(remote.AUTH_SASL_INIT, None, TCP)
    assert offered.reply.mechlist == "DIGEST-MD5,GSSAPI"
    assert any(thread.name.startswith("PoolThread-sasl") and thread.daemon for thread in threading.enumerate())
    assert logins._threads is not None
    logins._threads.callInThread(time.sleep, 1)
    begun = time.monotonic()
    logins.close()
    assert time.monotonic() - begun < 0.5
