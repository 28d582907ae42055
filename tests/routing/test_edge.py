# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon answers itself; the same packets are put to a real libvirtd in tests/conformance/test_edges.py."""

from __future__ import annotations

import os
from typing import Any

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.support.proxy import settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.auth.gate import Phase
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.features import Feature
from virtproxy.routing.session import STRANGE_CALLS_MAX
from virtproxy.rpc.client import ConnectionClosed

Daemons = dict[str, ScriptedDaemon]


def feature(which: Feature) -> remote.ConnectSupportsFeatureArgs:
    """The question for a feature."""
    return remote.ConnectSupportsFeatureArgs(feature=which)


@pytest_twisted.ensureDeferred
async def test_features_of_the_daemon_are_its_own(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_SUPPORTS_FEATURE] = remote.ConnectSupportsFeatureRet(supported=0)
    client = await make_proxy().client("qemu:///system")
    for own in (Feature.FD_PASSING, Feature.REMOTE_EVENT_CALLBACK, Feature.REMOTE_CLOSE_CALLBACK):
        assert (await client.call(remote.CONNECT_SUPPORTS_FEATURE, feature(own))).supported == 1
    passed_on = await client.call(remote.CONNECT_SUPPORTS_FEATURE, feature(Feature.MIGRATION_V3))
    assert passed_on.supported == 0
    asked = [args.feature for _, args in daemons["qemu"].script.only.calls if hasattr(args, "feature")]
    assert asked == [Feature.MIGRATION_V3]


@pytest_twisted.ensureDeferred
async def test_keepalive_needs_no_open_connection_and_others_do(make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client()
    answer = await client.call(remote.CONNECT_SUPPORTS_FEATURE, feature(Feature.PROGRAM_KEEPALIVE))
    assert answer.supported == 1
    with pytest.raises(VirtError, match="hypervisor connection not open"):
        await client.call(remote.CONNECT_SUPPORTS_FEATURE, feature(Feature.FD_PASSING))


@pytest_twisted.ensureDeferred
async def test_opening_twice_is_refused_and_drops_the_first(daemons: Daemons, make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    with pytest.raises(VirtError, match="connection already open"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    with pytest.raises(VirtError, match="hypervisor connection not open"):
        await client.call(remote.CONNECT_GET_TYPE)
    await settle(proxy.reactor)
    assert daemons["qemu"].script.only.lost is not None


@pytest_twisted.ensureDeferred
async def test_what_is_owed_when_it_is_opened_anew_is_answered(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    owed = [client.call(remote.CONNECT_GET_TYPE) for _ in range(3)]
    await settle(proxy.reactor)
    with pytest.raises(VirtError, match="connection already open"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    for call in owed:
        with pytest.raises(VirtError, match="the connection was opened anew"):
            await call


@pytest_twisted.ensureDeferred
async def test_who_tries_calls_without_end_before_logging_in_is_cut_off(make_proxy: MakeProxy) -> None:
    proxy = make_proxy(phase=Phase.WAITING)
    client = await proxy.client()
    for _ in range(STRANGE_CALLS_MAX):
        with pytest.raises(VirtError, match="authentication required"):
            await client.call(remote.CONNECT_GET_TYPE)
    with pytest.raises((VirtError, ConnectionClosed)):
        await client.call(remote.CONNECT_GET_TYPE)
    await settle(proxy.reactor)
    assert client.closed


@pytest_twisted.ensureDeferred
async def test_close_is_answered_then_the_socket_closes(make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client("qemu:///system")
    lost: list[str] = []
    client.when_lost.append(lost.append)
    await client.call(remote.CONNECT_CLOSE)
    await settle(proxy.reactor)
    assert len(lost) == 1


@pytest.mark.parametrize("procedure", [remote.AUTH_SASL_INIT, remote.AUTH_POLKIT])
@pytest_twisted.ensureDeferred
async def test_a_login_that_is_not_offered_fails(make_proxy: MakeProxy, procedure: Any) -> None:
    client = await make_proxy().client()
    with pytest.raises(VirtError) as caught:
        await client.call(procedure)
    assert caught.value.code == ErrorCode.AUTH_FAILED


def identity(**known: str) -> remote.ConnectSetIdentityArgs:
    """An identity of strings."""
    params = [
        remote.TypedParam(field=name.replace("_", "-"), value=remote.TypedParamValue(type=7, value=value))
        for name, value in known.items()
    ]
    return remote.ConnectSetIdentityArgs(params=params, flags=0)


@pytest_twisted.ensureDeferred
async def test_root_speaks_for_others_to_every_daemon(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["network"].script.answers[remote.CONNECT_NUM_OF_NETWORKS] = remote.ConnectNumOfNetworksRet(num=0)
    client = await make_proxy(uid=os.geteuid()).client("qemu:///system")
    await client.call(remote.CONNECT_NUM_OF_NETWORKS)
    await client.call(remote.CONNECT_SET_IDENTITY, identity(user_name="mary"))
    for daemon in daemons.values():
        told = [args.params for _, args in daemon.script.only.calls if hasattr(args, "params")]
        assert [(param.field, param.value.value) for param in told[-1]] == [("user-name", "mary")]


@pytest_twisted.ensureDeferred
async def test_nobody_else_may(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy(uid=os.geteuid() + 1).client("qemu:///system")
    with pytest.raises(VirtError) as caught:
        await client.call(remote.CONNECT_SET_IDENTITY, identity(user_name="root"))
    assert caught.value.code == ErrorCode.ACCESS_DENIED


@pytest_twisted.ensureDeferred
async def test_an_identity_that_cannot_be_is_refused(make_proxy: MakeProxy) -> None:
    client = await make_proxy(uid=os.geteuid()).client("qemu:///system")
    with pytest.raises(VirtError, match="parameter 'shoe-size' not supported") as caught:
        await client.call(remote.CONNECT_SET_IDENTITY, identity(shoe_size="43"))
    assert caught.value.code == ErrorCode.ARGUMENT_UNSUPPORTED
    with pytest.raises(VirtError, match="invalid type 'string' for parameter 'unix-user-id', expected 'ullong'"):
        await client.call(remote.CONNECT_SET_IDENTITY, identity(unix_user_id="0"))


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_refuses_the_identity_is_the_answer(daemons: Daemons, make_proxy: MakeProxy) -> None:
    script = daemons["qemu"].script
    client = await make_proxy(uid=os.geteuid()).client("qemu:///system")

    def refuse(args: Any) -> None:
        raise VirtError.of(ErrorCode.ACCESS_DENIED, "no such person")

    script.answers[remote.CONNECT_SET_IDENTITY] = refuse
    with pytest.raises(VirtError, match="no such person") as caught:
        await client.call(remote.CONNECT_SET_IDENTITY, identity(user_name="mary"))
    assert caught.value.code == ErrorCode.ACCESS_DENIED


@pytest_twisted.ensureDeferred
async def test_nothing_but_a_login_before_authentication(daemons: Daemons, make_proxy: MakeProxy) -> None:
    client = await make_proxy(phase=Phase.WAITING).client()
    open_args = remote.ConnectOpenArgs(name="qemu:///system", flags=0)
    refused: list[tuple[Any, Any]] = [
        (remote.CONNECT_OPEN, open_args),
        (remote.CONNECT_GET_TYPE, None),
        (remote.CONNECT_SUPPORTS_FEATURE, feature(Feature.PROGRAM_KEEPALIVE)),
        (remote.CONNECT_SET_IDENTITY, identity(user_name="root")),
        (remote.CONNECT_CLOSE, None),
    ]
    for procedure, args in refused:
        with pytest.raises(VirtError, match="authentication required") as caught:
            await client.call(procedure, args)
        assert caught.value.code == ErrorCode.RPC
    assert (await client.call(remote.AUTH_LIST)).types == [remote.AuthType.NONE]
    assert daemons["qemu"].script.sessions == []


@pytest_twisted.ensureDeferred
async def test_descriptors_with_a_call_that_takes_none_are_closed(make_proxy: MakeProxy) -> None:
    proxy = make_proxy()
    client = await proxy.client()
    await client.call(remote.AUTH_LIST)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await client.call(remote.AUTH_LIST, fds=[os.open(os.devnull, os.O_RDONLY)])
    await settle(proxy.reactor)
    assert len(os.listdir("/proc/self/fd")) == before
