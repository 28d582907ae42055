# SPDX-License-Identifier: LGPL-2.1-or-later
"""The seam of logins: who is let in, when, and from which byte on a security layer is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.routing.conftest import MakeProxy
from tests.support.proxy import Proxy, settle
from tests.support.scripted import ScriptedDaemon
from virtproxy.auth.gate import Gate
from virtproxy.auth.login import LoginRefused, Progress
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.security_layer import LayerError

OPEN = remote.ConnectOpenArgs(name="qemu:///system", flags=0)


class Xor:
    """A layer whose bytes differ from the plain ones; a 0xEE on the wire breaks it."""

    ssf = 1
    piece_max = 7

    def encode(self, data: bytes) -> bytes:
        """At most seven bytes."""
        assert len(data) <= self.piece_max
        return self.decode(data)

    def decode(self, data: bytes) -> bytes:
        """Any number of them."""
        if 0xEE in data:
            raise LayerError("not one of mine")
        return bytes(byte ^ 0x55 for byte in data)


class SlowLogin:
    """Answers AUTH_POLKIT when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Deferred[Progress]] = []
        self.identities: list[Identity] = []
        self.closed = 0

    async def serve(self, procedure: Any, args: Any, identity: Identity) -> Progress:
        """Wait."""
        self.asked.append(Deferred())
        self.identities.append(identity)
        return await self.asked[-1]

    def admit(self, layer: Any = None, **more: Any) -> None:
        """Let the client in."""
        identity = replace(self.identities[-1], **more)
        self.asked[-1].callback(Progress(remote.AuthPolkitRet(complete=1), identity, layer))

    def close(self) -> None:
        """The gate is done with it."""
        self.closed += 1


@pytest.fixture
def login() -> SlowLogin:
    """The login of every client."""
    return SlowLogin()


@pytest.fixture
def proxy(make_proxy: MakeProxy, login: SlowLogin) -> Proxy:
    """A proxy that asks everybody to log in, and counts who has."""
    return make_proxy(gate=lambda: Gate("polkit", login=login, admitted=lambda: ADMITTED.append(1)))


ADMITTED: list[int] = []


@pytest.fixture(autouse=True)
def nobody() -> None:
    """Nobody has been let in."""
    ADMITTED.clear()


async def begin(proxy: Proxy) -> tuple[ClientConnection, Deferred[Any]]:
    """A client whose login is under way."""
    client = await proxy.client()
    assert (await client.call(remote.AUTH_LIST)).types == [remote.AuthType.POLKIT]
    answer = client.call(remote.AUTH_POLKIT)
    await settle(proxy.reactor)
    return client, answer


@pytest_twisted.ensureDeferred
async def test_who_logs_in_is_somebody_else_to_every_daemon(
    proxy: Proxy, login: SlowLogin, daemons: dict[str, ScriptedDaemon]
) -> None:
    client, answer = await begin(proxy)
    refused: list[tuple[Any, Any, ErrorCode]] = [
        (remote.AUTH_POLKIT, None, ErrorCode.AUTH_FAILED),
        (remote.AUTH_SASL_INIT, None, ErrorCode.AUTH_FAILED),
        (remote.CONNECT_OPEN, OPEN, ErrorCode.RPC),
    ]
    for procedure, args, code in refused:
        with pytest.raises(VirtError) as caught:
            await client.call(procedure, args)
        assert caught.value.code == code
    assert (await client.call(remote.AUTH_LIST)).types == [remote.AuthType.POLKIT]
    assert not ADMITTED
    login.admit(sasl_user="mary")
    assert (await answer).complete == 1
    assert (ADMITTED, login.closed) == ([1], 1)
    assert (await client.call(remote.AUTH_LIST)).types == [remote.AuthType.NONE]
    await client.call(remote.CONNECT_OPEN, OPEN)
    told = next(args.params for _, args in daemons["qemu"].script.only.calls if hasattr(args, "params"))
    assert ("sasl-user-name", "mary") in [(param.field, param.value.value) for param in told]


@pytest_twisted.ensureDeferred
async def test_a_refused_login_may_be_tried_again_and_says_nothing(proxy: Proxy, login: SlowLogin) -> None:
    client, answer = await begin(proxy)
    login.asked[-1].errback(LoginRefused("the moon is full"))
    with pytest.raises(VirtError) as caught:
        await answer
    assert (caught.value.code, caught.value.message) == (45, "authentication failed: authentication failed")
    with pytest.raises(VirtError, match="authentication required"):
        await client.call(remote.CONNECT_OPEN, OPEN)
    again = client.call(remote.AUTH_POLKIT)
    await settle(proxy.reactor)
    login.admit()
    await again
    await client.call(remote.CONNECT_OPEN, OPEN)


@pytest_twisted.ensureDeferred
async def test_a_login_that_breaks_lets_nobody_in(proxy: Proxy, login: SlowLogin, flush_errors: Any) -> None:
    client, answer = await begin(proxy)
    login.asked[-1].errback(ZeroDivisionError("a bug"))
    with pytest.raises(VirtError, match="its log says why"):
        await answer
    assert len(flush_errors(ZeroDivisionError)) == 1
    with pytest.raises(VirtError, match="authentication required"):
        await client.call(remote.CONNECT_OPEN, OPEN)


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_in_the_middle_leaves_nothing(proxy: Proxy, login: SlowLogin) -> None:
    client, answer = await begin(proxy)
    answer.addErrback(lambda failure: None)
    client.abort("enough")
    await settle(proxy.reactor)
    assert (login.asked[-1].called, login.closed, ADMITTED) == (True, 1, [])


@pytest_twisted.ensureDeferred
async def test_a_layer_begins_with_the_byte_after_the_answer(proxy: Proxy, login: SlowLogin) -> None:
    client, answer = await begin(proxy)
    login.admit(Xor())
    await answer
    client.protect(Xor())
    assert (proxy.sessions[-1].client.ssf, client.ssf) == (1, 1)
    assert (await client.call(remote.AUTH_LIST)).types == [remote.AuthType.NONE]
    await client.call(remote.CONNECT_OPEN, OPEN)
    client._transport._below.write(b"\xee")  # type: ignore[union-attr]  # what only the wire can do
    await settle(proxy.reactor)
    assert client.closed


@pytest_twisted.ensureDeferred
async def test_bytes_from_before_the_layer_are_not_taken_for_bytes_within(proxy: Proxy, login: SlowLogin) -> None:
    client, answer = await begin(proxy)
    # Somebody between the two adds the start of a packet in plain, hoping that the rest comes from the client.
    client.send_piece(remote.CONNECT_OPEN.call_frame(9, OPEN).raw[:10])
    await settle(proxy.reactor)
    login.admit(Xor())
    await settle(proxy.reactor)
    assert client.closed
    assert (await answer).complete == 1
