# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's end of TLS against our server's, and against servers that are not what they should be."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import Clock

from tests.support.pki import CLIENT, SERVER, Authority, Leaf, pem, shared_key, write_pair
from tests.support.tls import TlsPort, reactor
from virtproxy.auth.client_tls import ClientTls, TlsSetupError, client_files
from virtproxy.auth.tls import ServerTls, TlsSettings
from virtproxy.auth.tls_settings import PkiFiles, system_files, user_files
from virtproxy.auth.tls_transport import HANDSHAKE_SECONDS
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.rpc.transport import SocketTransport


class Client(Protocol):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.received = b""
        self.made = False
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.made = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


def files_of(pki: Path, stem: str = "good", ca: str = "cacert") -> PkiFiles:
    return PkiFiles(pki / f"{ca}.pem", pki / "absent.pem", pki / f"{stem}cert.pem", pki / f"{stem}key.pem")


def server_settings(pki: Path) -> TlsSettings:
    return TlsSettings(pki / "servercert.pem", pki / "serverkey.pem", pki / "cacert.pem", pki / "crl.pem")


class Attempt:
    """One connection of a ClientTls to a port on loopback."""

    def __init__(self, tls: ClientTls, port: int, host: str = "localhost", clock: Any = None) -> None:
        self.client = Client()
        sock = socket.create_connection(("127.0.0.1", port), 10)
        protocol, self.accepted = tls.wrap(clock or reactor, host, self.client)
        self.transport = SocketTransport(reactor, sock, protocol)
        self.transport.start()

    async def refusal(self) -> str:
        with pytest.raises(VirtError) as caught:
            await self.accepted
        assert caught.value.code == ErrorCode.AUTH_FAILED
        assert not self.client.made
        return str(caught.value)


@pytest_twisted.async_yield_fixture
async def port(pki: Path) -> AsyncIterator[TlsPort]:
    opened = TlsPort(ServerTls(server_settings(pki)))
    yield opened
    await opened.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "[::1]", "::1%lo"])
@pytest_twisted.ensureDeferred
async def test_connects_when_both_are_content(port: TlsPort, pki: Path, host: str) -> None:
    tls = ClientTls(files_of(pki))
    tls.check()
    attempt = Attempt(tls, port.port, host)
    await attempt.accepted
    assert attempt.client.made
    assert attempt.client.transport is not None
    attempt.client.transport.write(b"over there")
    await port.until(lambda: attempt.client.received == b"over there")
    attempt.client.transport.loseConnection()
    await attempt.client.lost
    assert [identity.x509_dname for identity in port.identities] == ["C=GB,O=Org\\, Inc,CN=good"]


@pytest.mark.parametrize("host", ["elsewhere", "127.0.0.2", "::2", "local host", "*.localhost"])
@pytest_twisted.ensureDeferred
async def test_a_server_of_another_name_is_not_trusted(port: TlsPort, pki: Path, host: str) -> None:
    said = await Attempt(ClientTls(files_of(pki)), port.port, host).refusal()
    assert f'none of its names (subject alternative names) is "{host}"' in said


@pytest_twisted.ensureDeferred
async def test_a_server_of_another_authority_is_not_trusted(port: TlsPort, pki: Path) -> None:
    files = files_of(pki, "other", "othercacert")
    assert "its signature is not its issuer's" in await Attempt(ClientTls(files), port.port).refusal()


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (Leaf(name="localhost", purposes=(SERVER,), days=(-5, -1)), "it has expired"),
        (Leaf(name="localhost", purposes=(CLIENT,)), "do not include being a TLS server"),
        (Leaf(name="localhost", purposes=(SERVER,)), "none of its names"),
    ],
    ids=["expired", "a client's", "only a common name"],
)
@pytest_twisted.ensureDeferred
async def test_a_server_s_bad_certificate_is_not_trusted(tmp_path: Path, pki: Path, leaf: Leaf, says: str) -> None:
    authority = Authority("Temporary", 3)
    (tmp_path / "cacert.pem").write_bytes(pem(authority.certificate))
    write_pair(tmp_path, "server", authority.issue(leaf))
    port = TlsPort(ServerTls(replace(server_settings(tmp_path), no_sanity=True)))
    files = replace(files_of(pki), ca=tmp_path / "cacert.pem")
    assert says in await Attempt(ClientTls(files), port.port).refusal()
    await port.close()


@pytest_twisted.ensureDeferred
async def test_no_verify_trusts_anyone(port: TlsPort, pki: Path) -> None:
    files = replace(files_of(pki), ca=pki / "othercacert.pem")
    attempt = Attempt(ClientTls(files, no_verify=True), port.port, "elsewhere")
    await attempt.accepted
    attempt.transport.abortConnection()
    await attempt.client.lost


@pytest.mark.parametrize("stem", ["expired", "absent"])
@pytest_twisted.ensureDeferred
async def test_being_refused_is_said(port: TlsPort, pki: Path, stem: str) -> None:
    attempt = Attempt(ClientTls(files_of(pki, stem)), port.port)
    assert "localhost closed the connection after the handshake: it does not" in await attempt.refusal()
    await port.logged("refused")


class _Foreign(Protocol):
    """A TLS server that is none of libvirt's."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"220 mail ready\r\n")


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_not_libvirt_s_is_named(pki: Path) -> None:
    files = str(pki / "serverkey.pem"), str(pki / "servercert.pem")
    factory = DefaultOpenSSLContextFactory(*files)
    listening = reactor.listenSSL(0, Factory.forProtocol(_Foreign), factory, interface="127.0.0.1")
    attempt = Attempt(ClientTls(files_of(pki)), listening.getHost().port)
    assert "localhost is not a libvirt server: it began with byte 50 instead of 1" in await attempt.refusal()
    await listening.stopListening()


@pytest.mark.parametrize("first", [b"", b"220 mail ready\r\n"], ids=["nothing", "plain text"])
@pytest_twisted.ensureDeferred
async def test_a_server_without_tls_is_no_hang(pki: Path, first: bytes) -> None:
    clock = Clock()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt = Attempt(ClientTls(files_of(pki)), listener.getsockname()[1], clock=clock)
        sock, _ = listener.accept()
        with sock:
            sock.sendall(first)
            if not first:
                clock.advance(HANDSHAKE_SECONDS)
            said = await attempt.refusal()
    assert ("the TLS handshake with localhost failed" if first else "it was not done after 30 seconds") in said


@pytest_twisted.ensureDeferred
async def test_giving_up_closes(pki: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempt = Attempt(ClientTls(files_of(pki)), listener.getsockname()[1])
        sock, _ = listener.accept()
        with sock:
            attempt.accepted.cancel()
            with pytest.raises((CancelledError, VirtError)):
                await attempt.accepted
        while not attempt.transport.disconnected:
            await _turn()


async def _turn() -> None:
    turn: Deferred[None] = Deferred()
    reactor.callLater(0, turn.callback, None)
    await turn


def test_half_a_pair_is_a_setup_error(tmp_path: Path, pki: Path) -> None:
    (tmp_path / "cacert.pem").write_bytes((pki / "cacert.pem").read_bytes())
    (tmp_path / "clientcert.pem").write_bytes((pki / "goodcert.pem").read_bytes())
    with pytest.raises(TlsSetupError, match=r"clientkey\.pem does not exist"):
        ClientTls(client_files(str(tmp_path))).check()


def test_a_foreign_key_is_a_setup_error(tmp_path: Path, pki: Path) -> None:
    (tmp_path / "cacert.pem").write_bytes((pki / "cacert.pem").read_bytes())
    write_pair(tmp_path, "client", Authority().issue(Leaf()), shared_key(7))
    with pytest.raises(TlsSetupError, match="is not the key of"):
        ClientTls(client_files(str(tmp_path))).check()


@pytest.mark.parametrize(
    ("stem", "says"),
    [
        ("expired", "it expired on"),
        ("purpose", "do not include being a TLS client"),
        ("other", "was not issued by an authority"),
    ],
)
def test_one_s_own_bad_certificate_is_seen_unless_told_not_to_look(pki: Path, stem: str, says: str) -> None:
    with pytest.raises(TlsSetupError, match=says):
        ClientTls(files_of(pki, stem)).check()
    ClientTls(files_of(pki, stem), no_sanity=True).check()


def test_without_an_authority_there_is_no_tls(tmp_path: Path) -> None:
    with pytest.raises(TlsSetupError, match=r"cacert\.pem does not exist"):
        ClientTls(client_files(str(tmp_path))).check()


def test_where_a_client_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client_files("/some/where") == PkiFiles(
        *(Path("/some/where") / name for name in ("cacert.pem", "cacrl.pem", "clientcert.pem", "clientkey.pem"))
    )
    own = tmp_path / ".pki" / "libvirt"
    own.mkdir(parents=True)
    (own / "cacert.pem").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert client_files(home=tmp_path) == user_files("client", tmp_path)
    assert client_files(home=tmp_path).ca == own / "cacert.pem"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert client_files(home=tmp_path) == system_files("client")
