# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls, descriptors, time limits and the end of a connection, with a scripted daemon."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any, assert_type

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.client import CallTimeout, Client, ConnectionClosed, VirtError, connect
from virtproxy.errors import VirtError as Raised
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.wire.codec import WireError

DOMAIN = remote.NonnullDomain(name="guest", uuid=bytes(16), id=1)
GRAPHICS = remote.DomainOpenGraphicsFdArgs(dom=DOMAIN, idx=0, flags=0)


@pytest_twisted.async_yield_fixture
async def client(scripted: ScriptedDaemon, reactor: Any) -> AsyncIterator[Client]:
    async with connect(reactor, scripted.uri()) as made:
        yield made


@pytest_twisted.ensureDeferred
async def test_errors_are_the_daemons(scripted: ScriptedDaemon, client: Client) -> None:
    def refuse(args: object) -> None:
        raise Raised(42, "Domain not found", domain=10, str1="a", int1=3)

    scripted.script.answers[remote.DOMAIN_GET_INFO] = refuse
    with pytest.raises(VirtError, match="Domain not found") as caught:
        await client.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=DOMAIN))
    assert (caught.value.code, caught.value.domain) == (ErrorCode.NO_DOMAIN, ErrorDomain.QEMU)
    assert (caught.value.str1, caught.value.int1) == ("a", 3)


@pytest_twisted.ensureDeferred
async def test_what_cannot_be_sent_is_refused_and_harms_nothing(scripted: ScriptedDaemon, client: Client) -> None:
    with pytest.raises(WireError, match="NUL"):
        await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="a\0b"))
    scripted.script.answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="T")
    assert (await client.call(remote.CONNECT_GET_TYPE)).type == "T"


@pytest_twisted.ensureDeferred
async def test_a_slow_answer_is_not_waited_for(scripted: ScriptedDaemon, client: Client) -> None:
    scripted.script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    with pytest.raises(CallTimeout, match=r"did not answer CONNECT_GET_TYPE in 0\.05 s") as caught:
        await client.call(remote.CONNECT_GET_TYPE, timeout=0.05)
    assert caught.value.code == ErrorCode.OPERATION_TIMEOUT
    late = scripted.script.only.frames[-1]
    scripted.script.only.connection.reply(
        remote.CONNECT_GET_TYPE.reply_frame(late.serial, remote.ConnectGetTypeRet(type="late"))
    )
    scripted.script.answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="T")
    assert (await client.call(remote.CONNECT_GET_TYPE, timeout=5)).type == "T"


@pytest_twisted.ensureDeferred
async def test_calls_are_under_way_before_they_are_awaited(scripted: ScriptedDaemon, client: Client) -> None:
    scripted.script.answers[remote.CONNECT_GET_TYPE] = remote.ConnectGetTypeRet(type="T")
    first, second = client.call(remote.CONNECT_GET_TYPE), client.call(remote.CONNECT_GET_TYPE)
    assert await second == await first


@pytest_twisted.ensureDeferred
async def test_descriptors_go_in_as_copies(scripted: ScriptedDaemon, client: Client) -> None:
    scripted.script.answers[remote.DOMAIN_FD_ASSOCIATE] = None
    reader, writer = os.pipe()
    args = remote.DomainFdAssociateArgs(dom=DOMAIN, name="disk", flags=0)
    await client.call(remote.DOMAIN_FD_ASSOCIATE, args, fds=[writer])
    (arrived,) = scripted.script.only.frames[-1].fds
    os.write(arrived, b"there")
    os.write(writer, b" and here")
    assert os.read(reader, 99) == b"there and here"
    for fd in (reader, writer, arrived):
        os.close(fd)
    with pytest.raises(OSError):
        await client.call(remote.DOMAIN_FD_ASSOCIATE, args, fds=[arrived])


@pytest_twisted.ensureDeferred
async def test_descriptors_come_out(scripted: ScriptedDaemon, client: Client) -> None:
    reader, writer = os.pipe()

    def give(args: object) -> object:
        session = scripted.script.only
        serial = session.calls and client._connection._serial
        session.connection.reply(remote.DOMAIN_OPEN_GRAPHICS_FD.reply_frame(int(serial or 0), None, (writer,)))
        return LATER

    scripted.script.answers[remote.DOMAIN_OPEN_GRAPHICS_FD] = give
    result, (got,) = await client.call_for_fds(remote.DOMAIN_OPEN_GRAPHICS_FD, GRAPHICS)
    assert result is None
    os.write(got, b"hello")
    assert os.read(reader, 9) == b"hello"
    os.close(got)
    os.close(reader)
    scripted.script.answers[remote.DOMAIN_OPEN_GRAPHICS_FD] = None
    assert await client.call_for_fds(remote.DOMAIN_OPEN_GRAPHICS_FD, GRAPHICS) == (None, ())


@pytest_twisted.ensureDeferred
async def test_a_lost_connection_fails_calls_and_tells(scripted: ScriptedDaemon, client: Client) -> None:
    scripted.script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    gone: Deferred[str] = Deferred()
    client.when_lost(gone.callback)
    call = client.call(remote.CONNECT_GET_TYPE)
    scripted.transports[0].abortConnection()
    with pytest.raises(ConnectionClosed, match="the connection was lost"):
        await call
    assert client.closed
    assert "(closed)" in repr(client)
    with pytest.raises(ConnectionClosed):
        await client.call(remote.CONNECT_GET_TYPE)
    await client.close()
    assert "lost" in await gone


@pytest_twisted.ensureDeferred
async def test_close_waits_for_the_answer_but_not_for_ever(
    scripted: ScriptedDaemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtproxy.client.client.CLOSE_SECONDS", 0.05)
    scripted.script.answers[remote.CONNECT_CLOSE] = lambda args: LATER
    scripted.script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    outstanding = client.call(remote.CONNECT_GET_TYPE)
    await client.close()
    assert client.closed
    with pytest.raises(ConnectionClosed, match="closed on this side"):
        await outstanding
    await client.close()


@pytest_twisted.ensureDeferred
async def test_the_type_checker_knows_arguments_and_results(scripted: ScriptedDaemon, client: Client) -> None:
    info = remote.DomainGetInfoRet(state=1, max_mem=1, memory=1, nr_virt_cpu=1, cpu_time=1)
    scripted.script.answers[remote.DOMAIN_GET_INFO] = info
    scripted.script.answers[remote.DOMAIN_SUSPEND] = None
    args = remote.DomainGetInfoArgs(dom=DOMAIN)
    # mypy fails here if a type is not what it says, and if one of the ignored errors is none.
    assert_type(await client.call(remote.DOMAIN_GET_INFO, args), remote.DomainGetInfoRet)
    assert_type(await client.call(remote.DOMAIN_SUSPEND, remote.DomainSuspendArgs(dom=DOMAIN)), None)
    with pytest.raises(TypeError):
        await client.call(remote.DOMAIN_SUSPEND, args)  # type: ignore[misc]
    with pytest.raises(TypeError):
        await client.call(remote.DOMAIN_GET_INFO)  # type: ignore[arg-type]
