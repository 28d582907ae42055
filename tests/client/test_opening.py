# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connecting and opening, and every way in which it can fail."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from twisted.internet.defer import CancelledError, Deferred

from tests.support.pki import SERVER, Authority, Leaf, pem, write_pair
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.auth.tls import ServerTls
from virtproxy.auth.tls_settings import TlsSettings
from virtproxy.client import ConnectError, VirtError, connect
from virtproxy.errors import no_connect
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode


def procedures(scripted: ScriptedDaemon) -> list[str]:
    return [procedure.name for procedure, _ in scripted.script.only.calls]


@pytest_twisted.ensureDeferred
async def test_it_asks_opens_and_takes_leave(scripted: ScriptedDaemon, reactor: Any) -> None:
    async with connect(reactor, scripted.uri("&keep=1"), readonly=True) as client:
        assert not client.closed
    assert client.closed
    assert procedures(scripted) == ["AUTH_LIST", "CONNECT_SUPPORTS_FEATURE", "CONNECT_OPEN", "CONNECT_CLOSE"]
    arguments = [args for _, args in scripted.script.only.calls]
    assert arguments[1] == remote.ConnectSupportsFeatureArgs(feature=10)
    assert arguments[2] == remote.ConnectOpenArgs(name="test:///default?keep=1", flags=1)


@pytest_twisted.ensureDeferred
async def test_without_keepalive_it_does_not_ask_for_it(scripted: ScriptedDaemon, reactor: Any) -> None:
    client = await connect(reactor, scripted.uri(), keepalive_interval=0)
    await client.close()
    assert procedures(scripted) == ["AUTH_LIST", "CONNECT_OPEN", "CONNECT_CLOSE"]


@pytest_twisted.ensureDeferred
async def test_a_dead_daemon_is_given_up(scripted: ScriptedDaemon, reactor: Any) -> None:
    gone: Deferred[str] = Deferred()
    client = await connect(reactor, scripted.uri(), keepalive_interval=0.05, keepalive_count=1)
    client.when_lost(gone.callback)
    scripted.transports[0].pauseProducing()
    assert await gone == "the peer did not answer keepalive messages"
    assert client.closed
    told: list[str] = []
    client.when_lost(told.append)
    assert told == [await gone]


@pytest_twisted.ensureDeferred
async def test_authentication_it_does_not_know_is_named(scripted: ScriptedDaemon, reactor: Any) -> None:
    scripted.script.answers[remote.AUTH_LIST] = remote.AuthListRet(types=[remote.AuthType.POLKIT])
    with pytest.raises(ConnectError, match=f"socket '{scripted.path}' wants authentication by polkit") as caught:
        await connect(reactor, scripted.uri())
    assert caught.value.code == ErrorCode.AUTH_UNAVAILABLE


@pytest_twisted.ensureDeferred
async def test_a_refused_uri_is_the_daemons_own_error(scripted: ScriptedDaemon, reactor: Any) -> None:
    def refuse(args: remote.ConnectOpenArgs) -> None:
        raise no_connect(str(args.name))

    scripted.script.answers[remote.CONNECT_OPEN] = refuse
    with pytest.raises(VirtError, match="test:///default") as caught:
        await connect(reactor, scripted.uri())
    assert caught.value.code == ErrorCode.NO_CONNECT


@pytest_twisted.ensureDeferred
async def test_a_silent_daemon_takes_too_long(scripted: ScriptedDaemon, reactor: Any) -> None:
    scripted.script.answers[remote.CONNECT_OPEN] = lambda args: LATER
    with pytest.raises(ConnectError, match=r"did not answer within 0\.1 s") as caught:
        await connect(reactor, scripted.uri(), timeout=0.1)
    assert caught.value.code == ErrorCode.OPERATION_TIMEOUT


@pytest_twisted.ensureDeferred
async def test_a_cancelled_attempt_leaves_nothing(scripted: ScriptedDaemon, reactor: Any) -> None:
    async def attempt() -> None:
        await connect(reactor, scripted.uri())

    scripted.script.answers[remote.CONNECT_OPEN] = lambda args: LATER
    attempting = Deferred.fromCoroutine(attempt())
    attempting.cancel()
    with pytest.raises(CancelledError):
        await attempting


@pytest_twisted.ensureDeferred
async def test_nobody_there_names_the_socket(reactor: Any, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file"), (tmp_path / ("x" * 200), "too long")):
        with pytest.raises(ConnectError, match=f"cannot connect to socket '{path}': .*{why}"):
            await connect(reactor, f"qemu:///system?socket={path}")


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
@pytest_twisted.ensureDeferred
async def test_nobody_there_names_host_and_port(reactor: Any, host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as unused:
        unused.bind(("::1" if ":" in host else "127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ConnectError, match=rf"cannot connect to {re.escape(host)}:{port} \(tcp\): .*refused"):
            await connect(reactor, f"qemu+tcp://{host}:{port}/system")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest_twisted.ensureDeferred
async def test_over_tcp(reactor: Any, address: str) -> None:
    daemon = ScriptedDaemon(reactor, tcp=address)
    daemon.script.answers[remote.CONNECT_GET_HOSTNAME] = remote.ConnectGetHostnameRet(hostname="h" * 100_000)
    host = f"[{address}]" if ":" in address else address
    async with connect(reactor, f"test+tcp://{host}:{daemon.port}/default") as client:
        assert len((await client.call(remote.CONNECT_GET_HOSTNAME)).hostname) == 100_000
    daemon.close()


@pytest_twisted.ensureDeferred
async def test_tls_without_certificates_says_which_file_is_missing(reactor: Any, tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=rf"localhost:1 \(tls\): ca_file {tmp_path}/cacert.pem does not exist"):
        await connect(reactor, f"test+tls://localhost:1/default?pkipath={tmp_path}")


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A pkipath, and a server's pair for "localhost"."""
    authority = Authority()
    (tmp_path / "cacert.pem").write_bytes(pem(authority.certificate))
    write_pair(tmp_path, "client", authority.issue(Leaf()))
    local = (x509.DNSName("localhost"),)
    write_pair(tmp_path, "server", authority.issue(Leaf(name="localhost", purposes=(SERVER,), hosts=local)))
    return tmp_path


@pytest_twisted.async_yield_fixture
async def secure(reactor: Any, pki: Path) -> AsyncIterator[ScriptedDaemon]:
    """A scripted daemon behind TLS."""
    settings = TlsSettings(pki / "servercert.pem", pki / "serverkey.pem", pki / "cacert.pem")
    daemon = ScriptedDaemon(reactor, tcp="127.0.0.1", tls=ServerTls(settings))
    yield daemon
    daemon.close()


@pytest_twisted.ensureDeferred
async def test_over_tls(reactor: Any, secure: ScriptedDaemon, pki: Path) -> None:
    secure.script.answers[remote.CONNECT_GET_HOSTNAME] = remote.ConnectGetHostnameRet(hostname="h" * 100_000)
    async with connect(reactor, f"test+tls://localhost:{secure.port}/default?pkipath={pki}") as client:
        assert len((await client.call(remote.CONNECT_GET_HOSTNAME)).hostname) == 100_000


@pytest_twisted.ensureDeferred
async def test_a_tls_server_of_another_name_is_refused(reactor: Any, secure: ScriptedDaemon, pki: Path) -> None:
    elsewhere = f"test+tls://127.0.0.1:{secure.port}/default?pkipath={pki}"
    with pytest.raises(ConnectError, match=rf'127\.0\.0\.1:{secure.port} \(tls\): .* is "127.0.0.1"') as caught:
        await connect(reactor, elsewhere)
    assert caught.value.code == ErrorCode.AUTH_FAILED
    async with connect(reactor, f"{elsewhere}&no_verify=1") as client:
        assert not client.closed


@pytest_twisted.ensureDeferred
async def test_tls_to_who_speaks_none_is_an_error(reactor: Any, pki: Path) -> None:
    daemon = ScriptedDaemon(reactor, tcp="127.0.0.1")
    with pytest.raises(ConnectError, match=rf"cannot connect to localhost:{daemon.port} \(tls\): "):
        await connect(reactor, f"test+tls://localhost:{daemon.port}/default?pkipath={pki}", timeout=5)
    daemon.close()


@pytest_twisted.ensureDeferred
async def test_a_users_missing_daemon_is_started(
    reactor: Any, scripted: ScriptedDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(scripted.directory))
    monkeypatch.setenv("LIBVIRTD_PATH", str(tmp_path))
    program = tmp_path / "libvirtd"
    program.write_text(
        f"#!/bin/sh\ntest $1 = --timeout=120 && ln -s {scripted.path} {scripted.directory}/libvirt/libvirt-sock\n"
    )
    program.chmod(0o700)
    async with connect(reactor, "test:///session"):
        # The first client is whoever waited for the daemon to listen.
        last, _ = scripted.script.sessions[-1].calls[-1]
        assert last is remote.CONNECT_OPEN


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_does_not_start_is_named(
    reactor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("LIBVIRTD_PATH", str(tmp_path))
    program = tmp_path / "libvirtd"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o700)
    with pytest.raises(ConnectError, match=rf"{program} ended at once \(exit status 3\)"):
        await connect(reactor, "qemu:///session")
