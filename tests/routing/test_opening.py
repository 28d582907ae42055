# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a daemon is reached and opened; what it says to a proxy's first three calls."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.support.scripted import ScriptedDaemon
from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

Daemons = dict[str, ScriptedDaemon]
MISSING = {"qemu": "/nonexistent/virtqemud-sock"}


@pytest_twisted.ensureDeferred
async def test_a_missing_daemon_is_started_where_that_is_allowed(daemons: Daemons, make_proxy: MakeProxy) -> None:
    asked: list[tuple[str, str]] = []

    async def start(driver: str, path: str) -> socket.socket:
        asked.append((driver, path))
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(daemons["qemu"].path)
        return sock

    await make_proxy(sockets=MISSING, start=start).client("qemu:///session")
    assert asked == [("qemu", MISSING["qemu"])]
    assert [procedure for procedure, _ in daemons["qemu"].script.only.calls][1] is remote.CONNECT_OPEN


@pytest_twisted.ensureDeferred
async def test_why_it_cannot_be_started_is_the_answer(make_proxy: MakeProxy) -> None:
    async def start(driver: str, path: str) -> socket.socket:
        raise errors.internal("virtqemud: cannot start /usr/sbin/virtqemud: Permission denied")

    client = await make_proxy(sockets=MISSING, start=start).client()
    with pytest.raises(VirtError, match="virtqemud: cannot start /usr/sbin/virtqemud: Permission denied"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///session", flags=0))


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_refuses_twice_has_refused(daemons: Daemons, make_proxy: MakeProxy) -> None:
    """Each call is repeated once, in order, in case it only came too early."""
    refusals: list[str] = []

    def refuse(args: Any) -> None:
        refusals.append(args.name)
        raise VirtError.of(ErrorCode.NO_CONNECT, args.name)

    daemons["qemu"].script.answers[remote.CONNECT_OPEN] = refuse
    client = await make_proxy().client()
    with pytest.raises(VirtError, match="no connection driver available for qemu:///nowhere"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///nowhere", flags=0))
    assert refusals == ["qemu:///nowhere"] * 2


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_hangs_up_is_named(daemons: Daemons, make_proxy: MakeProxy) -> None:
    script = daemons["qemu"].script
    script.answers[remote.CONNECT_OPEN] = lambda args: script.only.connection.abort("out of here")
    client = await make_proxy().client()
    with pytest.raises(VirtError, match=r"lost the connection to virtqemud \(/.*/sock\)"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
