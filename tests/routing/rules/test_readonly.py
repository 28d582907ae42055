# SPDX-License-Identifier: LGPL-2.1-or-later
"""The read-only stage: every denied call is refused before a daemon hears of it, everything else passes."""

from __future__ import annotations

import os
from typing import Any

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.routing.test_session import TYPE, Daemons
from tests.support.denied import CALLS, DENIED, Call, denied_calls, harmless_calls
from tests.support.proxy import Proxy, settle
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import decode_error
from virtproxy.routing.procedures import PLAIN
from virtproxy.routing.rules.readonly import ReadonlyStage
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.frame import CALL_WITH_FDS, ERROR, Frame, pack

RO = 1
SUSPEND = remote.DomainSuspendArgs(dom=remote.NonnullDomain(name="g", uuid=bytes(16), id=1))


@pytest.fixture(params=["-ro socket", "RO flag"])
def reader(request: pytest.FixtureRequest, make_proxy: MakeProxy) -> tuple[Proxy, int]:
    """A proxy whose clients are read-only, and the flags that they open with."""
    by_socket = request.param == "-ro socket"
    return make_proxy(readonly=by_socket, stages=[ReadonlyStage]), 0 if by_socket else RO


async def answer(client: ClientConnection, call: Call) -> VirtError:
    """The error that a call gets."""
    try:
        await client.call(*call)
    except VirtError as error:
        return error
    raise AssertionError(f"{call[0]} was not refused")


def reached(daemons: Daemons) -> set[str]:
    """What the daemons were called, without what the proxy says itself."""
    own = {"AUTH_LIST", "CONNECT_OPEN", "CONNECT_SET_IDENTITY"}
    sessions = [session for daemon in daemons.values() for session in daemon.script.sessions]
    return {procedure.name for session in sessions for procedure, _ in session.calls} - own


def test_the_declarations_deny_what_libvirt_denies() -> None:
    counts = {name: len([p for p in DENIED if p.program.name == name]) for name in ("remote", "qemu", "lxc")}
    assert counts == {"remote": 201, "qemu": 6, "lxc": 1}


@pytest_twisted.ensureDeferred
async def test_every_denied_call_is_refused_and_no_daemon_sees_it(
    reader: tuple[Proxy, int],
    daemons: Daemons,
) -> None:
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    calls = list(denied_calls())
    assert len(calls) > 208
    for call in calls:
        procedure, args = call
        error = await answer(client, call)
        detail = procedure.readonly.refusal(procedure.api or "")
        assert (error.code, error.message) == (ErrorCode.OPERATION_DENIED, f"operation forbidden: {detail}"), procedure
        assert procedure.readonly.denies(args)
    assert reached(daemons) == set()


@pytest_twisted.ensureDeferred
async def test_what_only_some_arguments_deny_passes_without_them(
    reader: tuple[Proxy, int],
    daemons: Daemons,
) -> None:
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    for call in harmless_calls():
        assert "not here" in str(await answer(client, call)), call
    assert reached(daemons) == {procedure.name for procedure, _ in harmless_calls()}


@pytest_twisted.ensureDeferred
async def test_a_read_write_client_pays_nothing_and_may_call_everything(
    make_proxy: MakeProxy,
    daemons: Daemons,
) -> None:
    proxy = make_proxy(stages=[ReadonlyStage])
    client = await proxy.client("qemu:///system")
    assert set(proxy.sessions[0].pipeline.plain) == set(PLAIN)
    assert "not here" in str(await answer(client, (remote.DOMAIN_SUSPEND, SUSPEND)))


@pytest_twisted.ensureDeferred
async def test_reading_stays_on_the_short_way(reader: tuple[Proxy, int], daemons: Daemons) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    plain = proxy.sessions[0].pipeline.plain
    allowed = {(p.program.number, p.program.version, p.number) for p in CALLS if p.readonly.kind == "allowed"}
    assert set(plain) == allowed & set(PLAIN)
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_opening_again_does_not_make_it_read_write(
    reader: tuple[Proxy, int],
    daemons: Daemons,
) -> None:
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    again = remote.ConnectOpenArgs(name="qemu:///system", flags=0)
    with pytest.raises(VirtError, match="connection already open"):
        await client.call(remote.CONNECT_OPEN, again)
    await client.call(remote.CONNECT_OPEN, again)
    assert (await answer(client, (remote.DOMAIN_SUSPEND, SUSPEND))).code == ErrorCode.OPERATION_DENIED
    for daemon in daemons.values():
        for session in daemon.script.sessions:
            opened = [args.flags for procedure, args in session.calls if procedure is remote.CONNECT_OPEN]
            assert set(opened) == {RO}


@pytest_twisted.ensureDeferred
async def test_broken_arguments_are_said_to_be_broken(
    reader: tuple[Proxy, int],
    daemons: Daemons,
    loop: Any,
) -> None:
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    answers: list[Frame] = []
    client.receiver = answers.append
    client.send(pack(remote.PROGRAM.number, 1, remote.DOMAIN_SUSPEND.number, 0, 77, 0, b"\0\0"))
    await settle(loop)
    (frame,) = answers
    error = decode_error(frame)
    assert (frame.serial, frame.status, error.code, error.domain) == (77, ERROR, ErrorCode.RPC, ErrorDomain.RPC)


@pytest_twisted.ensureDeferred
async def test_descriptors_of_a_refused_call_are_closed(
    reader: tuple[Proxy, int],
    daemons: Daemons,
    loop: Any,
) -> None:
    proxy, flags = reader
    client = await proxy.client("qemu:///system", flags)
    ours, theirs = os.pipe()
    args = remote.DomainOpenGraphicsArgs(dom=SUSPEND.dom, idx=0, flags=0)
    frame = remote.DOMAIN_OPEN_GRAPHICS.call_frame(78, args, (theirs,))
    assert frame.type == CALL_WITH_FDS
    answers: list[Frame] = []
    client.receiver = answers.append
    client.send(frame)
    await settle(loop)
    assert decode_error(answers[0]).code == ErrorCode.OPERATION_DENIED
    assert os.read(ours, 1) == b""  # nobody holds the other end any more
    os.close(ours)
