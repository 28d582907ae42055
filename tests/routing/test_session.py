# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemon gets which call, and that it gets it as it was sent."""

from __future__ import annotations

import os
from typing import Any

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.support.proxy import settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.errors import VirtError
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.rpc.client import ConnectionClosed

TYPE = remote.ConnectGetTypeRet(type="QEMU")
NETWORKS = remote.ConnectNumOfNetworksRet(num=3)
Daemons = dict[str, ScriptedDaemon]


def called(daemon: ScriptedDaemon) -> list[str]:
    """The names of the calls that a daemon saw on all its connections."""
    return [procedure.name for session in daemon.script.sessions for procedure, _ in session.calls]


@pytest.fixture(autouse=True)
def answers(daemons: Daemons) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = NETWORKS


@pytest_twisted.ensureDeferred
async def test_each_family_goes_straight_to_its_daemon(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("qemu:///system")
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    assert await client.call(remote.CONNECT_NUM_OF_NETWORKS) == NETWORKS
    opening = ["AUTH_LIST", "CONNECT_OPEN", "CONNECT_SET_IDENTITY"]
    assert called(daemons["qemu"]) == [*opening, "CONNECT_GET_TYPE"]
    assert called(daemons["network"]) == [*opening, "CONNECT_NUM_OF_NETWORKS"]
    assert daemons["qemu"].script.only.calls[1][1].name == "qemu:///system"
    assert daemons["network"].script.only.calls[1][1].name == "network:///system"


@pytest_twisted.ensureDeferred
async def test_a_daemon_is_opened_once_and_only_when_needed(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("qemu:///system")
    assert daemons["network"].script.sessions == []
    waiting = [client.call(remote.CONNECT_NUM_OF_NETWORKS) for _ in range(4)]
    assert [await one for one in waiting] == [NETWORKS] * 4
    assert len(daemons["network"].script.sessions) == 1


@pytest_twisted.ensureDeferred
async def test_the_frame_arrives_as_it_was_sent(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[qemu.DOMAIN_MONITOR_COMMAND] = qemu.DomainMonitorCommandRet(result="ok")
    client = await make_proxy().client("qemu:///system")
    guest = remote.NonnullDomain(name="g", uuid=bytes(16), id=-1)
    args = qemu.DomainMonitorCommandArgs(dom=guest, cmd="info status", flags=1)
    assert (await client.call(qemu.DOMAIN_MONITOR_COMMAND, args)).result == "ok"
    (frame,) = [one for one in daemons["qemu"].script.only.frames if one.program == qemu.PROGRAM.number]
    assert frame.raw == qemu.DOMAIN_MONITOR_COMMAND.call_frame(frame.serial, args).raw


@pytest_twisted.ensureDeferred
async def test_a_secondary_uri_sends_everything_to_its_daemon(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("network:///system")
    assert await client.call(remote.CONNECT_NUM_OF_NETWORKS) == NETWORKS
    with pytest.raises(VirtError, match="not here"):
        await client.call(remote.CONNECT_NUM_OF_STORAGE_POOLS)
    assert daemons["qemu"].script.sessions == []


@pytest_twisted.ensureDeferred
async def test_a_family_without_a_socket_is_refused_by_name(make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("qemu:///system")
    with pytest.raises(VirtError, match="virtstoraged; name it in backend_sockets"):
        await client.call(remote.CONNECT_NUM_OF_STORAGE_POOLS)


@pytest_twisted.ensureDeferred
async def test_a_session_uri_has_no_nwfilter(make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("qemu:///session")
    with pytest.raises(VirtError, match="connection not open"):
        await client.call(remote.CONNECT_NUM_OF_NWFILTERS)


@pytest_twisted.ensureDeferred
async def test_an_event_reaches_its_client(daemons: Daemons, make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    got: list[Any] = []
    client.on_event(remote.DOMAIN_EVENT_REBOOT, got.append)
    guest = remote.NonnullDomain(name="g", uuid=bytes(16), id=7)
    daemons["qemu"].script.only.event(remote.DOMAIN_EVENT_REBOOT, remote.DomainEventRebootMsg(dom=guest))
    await settle(proxy.reactor)
    assert [message.dom.name for message in got] == ["g"]


@pytest_twisted.ensureDeferred
async def test_the_client_is_named_to_every_daemon(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy().client("qemu:///system")
    await client.call(remote.CONNECT_NUM_OF_NETWORKS)
    for daemon in daemons.values():
        (params,) = [args.params for _, args in daemon.script.only.calls if hasattr(args, "params")]
        told = {param.field: param.value.value for param in params}
        assert told["unix-user-id"] == os.geteuid()
        assert told["process-id"] == os.getpid()


@pytest.mark.parametrize(("socket_is_readonly", "flags"), [(True, 0), (False, 1)])
@pytest_twisted.ensureDeferred
async def test_read_only_is_kept_to_every_daemon(
    daemons: Daemons, make_proxy: MakeProxy, socket_is_readonly: bool, flags: int
) -> None:
    client = await make_proxy(readonly=socket_is_readonly).client("qemu:///system", flags)
    await client.call(remote.CONNECT_NUM_OF_NETWORKS)
    for daemon in daemons.values():
        (opened,) = [args for procedure, args in daemon.script.only.calls if procedure is remote.CONNECT_OPEN]
        assert opened.flags == 1


@pytest_twisted.ensureDeferred
async def test_descriptors_pass_both_ways(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.DOMAIN_OPEN_GRAPHICS] = lambda args: LATER
    daemons["qemu"].script.answers[remote.DOMAIN_OPEN_GRAPHICS_FD] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    session = daemons["qemu"].script.only
    guest = remote.NonnullDomain(name="g", uuid=bytes(16), id=7)
    reader, writer = os.pipe()
    args = remote.DomainOpenGraphicsArgs(dom=guest, idx=0, flags=0)
    call = client.call(remote.DOMAIN_OPEN_GRAPHICS, args, fds=[writer])
    await settle(proxy.reactor)
    passed = session.frames[-1]
    os.write(passed.fds[0], b"from the daemon")
    session.connection.reply(remote.DOMAIN_OPEN_GRAPHICS.reply_frame(passed.serial, None))
    await call
    assert os.read(reader, 100) == b"from the daemon"
    answer = client.call(remote.DOMAIN_OPEN_GRAPHICS_FD, remote.DomainOpenGraphicsFdArgs(dom=guest, idx=0, flags=0))
    back = answer.addCallback(lambda _: client.take_fds())
    await settle(proxy.reactor)
    serial = session.frames[-1].serial
    session.connection.reply(remote.DOMAIN_OPEN_GRAPHICS_FD.reply_frame(serial, None, passed.fds))
    (fd,) = await back
    os.write(fd, b"from the client")
    assert os.read(reader, 100) == b"from the client"
    os.close(fd)
    os.close(reader)


@pytest_twisted.ensureDeferred
async def test_calls_before_and_while_opening(daemons: Daemons, make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client()
    with pytest.raises(VirtError, match="hypervisor connection not open"):
        await client.call(remote.CONNECT_GET_TYPE)
    with pytest.raises(VirtError, match="internal error: connection not open"):
        await client.call(remote.CONNECT_NUM_OF_NETWORKS)
    opening = client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    early = client.call(remote.CONNECT_GET_TYPE)
    await opening
    assert await early == TYPE


@pytest_twisted.ensureDeferred
async def test_a_refusal_that_repeats_a_long_text_still_fits(make_proxy: MakeProxy) -> None:
    client = await make_proxy().client()
    with pytest.raises(VirtError, match="esx:///x") as caught:
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=f"esx:///{'x' * 4_194_290}", flags=0))
    assert len(str(caught.value.message)) < 70_000


@pytest_twisted.ensureDeferred
async def test_a_serial_in_use_is_refused(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    client = await make_proxy().client("qemu:///system")
    first = client.call(remote.CONNECT_GET_TYPE)
    client.send(remote.CONNECT_GET_TYPE.call_frame(client._serial, None))
    with pytest.raises(VirtError, match="the serial is in use"):
        await first


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_takes_its_backends_along(daemons: Daemons, make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    await client.call(remote.CONNECT_NUM_OF_NETWORKS)
    client.close()
    await settle(proxy.reactor)
    assert daemons["qemu"].script.only.lost is not None
    assert daemons["network"].script.only.lost is not None


@pytest_twisted.ensureDeferred
async def test_the_daemons_refusal_of_the_uri_is_the_answer(daemons: Daemons, make_proxy: MakeProxy) -> None:
    def refuse(args: Any) -> Any:
        raise VirtError.of(ErrorCode.NO_CONNECT, "qemu:///elsewhere")

    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = refuse
    proxy = make_proxy()
    client = await proxy.client()
    with pytest.raises(VirtError) as caught:
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///elsewhere", flags=0))
    assert caught.value.code == ErrorCode.NO_CONNECT
    del daemons["qemu"].script.answers[remote.CONNECT_OPEN]
    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = None
    await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    assert await client.call(remote.CONNECT_GET_TYPE) == TYPE


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_wants_a_login_is_said_in_words(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.AUTH_LIST] = remote.AuthListRet(types=[remote.AuthType.SASL])
    client = await make_proxy().client()
    with pytest.raises(VirtError, match="asks for a login") as caught:
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    assert not isinstance(caught.value, ConnectionClosed)
