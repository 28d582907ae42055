# SPDX-License-Identifier: LGPL-2.1-or-later
"""The TLS port against real clients: who comes in, who does not, and what the log says about it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from tests.support.pki import Authority, Leaf, write_pair
from tests.support.tls import (
    ACCEPTED,
    PATIENCE,
    REFUSED,
    TlsPort,
    knock_with_gnutls,
    knock_with_openssl,
    plain_context,
)
from virtproxy.auth.tls import ServerTls, TlsSettings
from virtproxy.auth.tls_transport import HANDSHAKE_SECONDS

Knock = Callable[[int, Path, str | None], bytes]
Open = Callable[..., TlsPort]


KNOCKS = [
    pytest.param(knock_with_openssl, id="openssl"),
    pytest.param(knock_with_gnutls, id="gnutls", marks=pytest.mark.programs("gnutls-cli")),
]
LISTED = ("C=GB,O=Org\\, Inc,CN=*",)
SAYS = {
    "expired": "it has expired",
    "future": "it is not yet valid",
    "revoked": "it has been revoked",
    "purpose": "its purposes (extended key usage) do not include being a TLS client",
    "usage": "its key usage does not permit digital signatures",
    "authority": "it is an authority's certificate, not a client's",
    "weak": "its key is too weak",
    "other": "its signature is not its issuer's",
    "unlisted": "its distinguished name is not on tls_allowed_dn_list",
}


def settings_of(pki: Path) -> TlsSettings:
    return TlsSettings(
        pki / "servercert.pem", pki / "serverkey.pem", pki / "cacert.pem", pki / "crl.pem", True, allowed_dns=LISTED
    )


@pytest_twisted.async_yield_fixture
async def opened(pki: Path) -> AsyncIterator[Open]:
    ports: list[TlsPort] = []

    def make(clock: Clock | None = None, **changes: object) -> TlsPort:
        tls = ServerTls(replace(settings_of(pki), **changes))  # type: ignore[arg-type]  # fields by name
        assert tls.check() == [] or changes
        ports.append(TlsPort(tls, clock))
        return ports[-1]

    yield make
    for port in ports:
        await port.close()


async def knock(how: Knock, port: TlsPort, pki: Path, stem: str | None) -> bytes:
    answer: bytes = await deferToThread(how, port.port, pki, stem)
    return answer


@pytest.mark.parametrize("how", KNOCKS)
@pytest.mark.parametrize("stem", ["good", "plain"])
@pytest_twisted.ensureDeferred
async def test_lets_a_valid_certificate_in(opened: Open, pki: Path, how: Knock, stem: str) -> None:
    port = opened()
    assert await knock(how, port, pki, stem) == ACCEPTED
    (identity,) = port.identities
    assert (identity.transport, identity.x509_dname) == ("tls", f"C=GB,O=Org\\, Inc,CN={stem}")
    assert identity.x509_sans == (("DNS:good.example",) if stem == "good" else ())
    assert identity.address.startswith("127.0.0.1:")


# GnuTLS itself does not show a certificate that its key may not be used with.
@pytest.mark.parametrize(
    ("how", "stem"),
    [
        *((knock_with_openssl, stem) for stem in SAYS),
        *(
            pytest.param(knock_with_gnutls, stem, marks=pytest.mark.programs("gnutls-cli"))
            for stem in SAYS
            if stem not in {"usage", "authority"}
        ),
    ],
)
@pytest_twisted.ensureDeferred
async def test_refuses_and_serves_the_next(opened: Open, pki: Path, how: Knock, stem: str) -> None:
    port = opened()
    assert await knock(how, port, pki, stem) == REFUSED
    country = "FR" if stem == "unlisted" else "GB"
    line = await port.logged("refused")
    assert f'certificate "C={country},O=Org\\, Inc,CN={stem}" refused: ' in line
    assert SAYS[stem] in line
    assert "127.0.0.1:" in line
    assert not port.identities
    assert await knock(how, port, pki, "good") == ACCEPTED


@pytest.mark.parametrize("how", KNOCKS)
@pytest_twisted.ensureDeferred
async def test_refuses_a_client_without_certificate(opened: Open, pki: Path, how: Knock) -> None:
    port = opened()
    assert await knock(how, port, pki, None) == REFUSED
    assert "with no certificate refused: the client sent no certificate" in await port.logged("refused")
    assert await knock(how, port, pki, "good") == ACCEPTED


@pytest.mark.parametrize("how", KNOCKS)
@pytest_twisted.ensureDeferred
async def test_refuses_everyone_under_an_outdated_revocation_list(opened: Open, pki: Path, how: Knock) -> None:
    port = opened(crl_file=pki / "oldcrl.pem")
    assert await knock(how, port, pki, "good") == REFUSED
    assert "the revocation list is out of date" in await port.logged("refused")


@pytest_twisted.ensureDeferred
async def test_without_a_revocation_list_nothing_is_revoked(opened: Open, pki: Path) -> None:
    port = opened(crl_file=None)
    assert await knock(knock_with_openssl, port, pki, "revoked") == ACCEPTED


@pytest_twisted.ensureDeferred
async def test_an_empty_list_of_names_lets_nobody_in(opened: Open, pki: Path) -> None:
    port = opened(allowed_dns=())
    assert await knock(knock_with_openssl, port, pki, "good") == REFUSED


@pytest.mark.parametrize("stem", ["good", "other", "expired", "unlisted", None])
@pytest_twisted.ensureDeferred
async def test_no_verify_lets_everyone_in_but_believes_nothing(opened: Open, pki: Path, stem: str | None) -> None:
    port = opened(no_verify=True)
    assert await knock(knock_with_openssl, port, pki, stem) == ACCEPTED
    expected = "C=GB,O=Org\\, Inc,CN=good" if stem == "good" else None
    assert [identity.x509_dname for identity in port.identities] == [expected]


@pytest.mark.programs("gnutls-cli")
@pytest_twisted.ensureDeferred
async def test_speaks_no_tls_1_1(opened: Open, pki: Path) -> None:
    port = opened()
    assert await deferToThread(knock_with_gnutls, port.port, pki, "good", "NORMAL:-VERS-ALL:+VERS-TLS1.1") == REFUSED
    assert "the handshake failed: unsupported protocol" in await port.logged("refused")
    assert await deferToThread(knock_with_gnutls, port.port, pki, "good", "NORMAL:-VERS-ALL:+VERS-TLS1.2") == ACCEPTED


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x1c\x20\0\x80\x86", b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16384)],
    ids=["http", "plain libvirt", "endless hello"],
)
@pytest_twisted.ensureDeferred
async def test_garbage_costs_a_log_line(opened: Open, pki: Path, garbage: bytes) -> None:
    port = opened()
    assert await deferToThread(_send, port.port, garbage)
    assert "with no certificate refused, because the handshake failed: " in await port.logged("refused")
    assert await knock(knock_with_openssl, port, pki, "good") == ACCEPTED


def _send(port: int, data: bytes) -> bool:
    """Send `data` in the clear; True if the server then closes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(data)
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
        return True


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["silence", "half a hello"])
@pytest_twisted.ensureDeferred
async def test_a_slow_handshake_is_cut(opened: Open, begin: bytes) -> None:
    clock = Clock()
    port = opened(clock)
    with socket.create_connection(("127.0.0.1", port.port), PATIENCE) as sock:
        sock.sendall(begin)
        await port.until(lambda: len(clock.getDelayedCalls()) == 1)
        clock.advance(HANDSHAKE_SECONDS - 1)
        assert port.open_clients == 1
        clock.advance(1)
        assert "it was not done after 30 seconds" in await port.logged("refused")
        await port.until(lambda: port.open_clients == 0)


@pytest_twisted.ensureDeferred
async def test_an_accepted_client_has_no_time_limit(opened: Open, pki: Path) -> None:
    clock = Clock()
    port = opened(clock)
    assert await knock(knock_with_openssl, port, pki, "good") == ACCEPTED
    assert clock.getDelayedCalls() == []


@pytest_twisted.ensureDeferred
async def test_a_client_that_goes_away_is_no_failure(opened: Open) -> None:
    port = opened()
    socket.create_connection(("127.0.0.1", port.port), PATIENCE).close()
    assert "went away during the handshake" in await port.logged("went away")


@pytest_twisted.ensureDeferred
async def test_no_session_is_resumed(opened: Open, pki: Path) -> None:
    port = opened()
    assert await deferToThread(_reconnect, port.port, pki) == [False, False]
    assert len(port.identities) == 2


def _reconnect(port: int, pki: Path) -> list[bool | None]:
    context = plain_context(pki)
    context.load_cert_chain(pki / "goodcert.pem", pki / "goodkey.pem")
    session, resumed = None, []
    for _ in range(2):
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        with context.wrap_socket(sock, server_hostname="localhost", session=session) as tls:
            assert tls.recv(1) == ACCEPTED
            session = tls.session
            resumed.append(tls.session_reused)
    return resumed


@pytest_twisted.ensureDeferred
async def test_bytes_travel_both_ways_at_once_and_in_bulk(opened: Open, pki: Path) -> None:
    port = opened()
    data = bytes(range(256)) * 4096
    assert await deferToThread(_echoed, port.port, pki, data) == data


def _echoed(port: int, pki: Path, data: bytes) -> bytes:
    context = plain_context(pki)
    context.load_cert_chain(pki / "goodcert.pem", pki / "goodkey.pem")
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    back = b""
    with context.wrap_socket(sock, server_hostname="localhost") as tls:
        # The first bytes leave before the client knows whether it is let in.
        for start in range(0, len(data), 65536):
            tls.sendall(data[start : start + 65536])
            while len(back) < start + 65536:
                back += tls.recv(65536)
        while len(back) < len(data) + 1:
            back += tls.recv(65536)
    assert back[:1] == ACCEPTED
    return back[1:]


@pytest_twisted.ensureDeferred
async def test_priority_decides_the_version(opened: Open, pki: Path) -> None:
    port = opened(priority="NORMAL:-VERS-TLS1.3")
    assert await deferToThread(knock_with_openssl, port.port, pki, "good", ssl.TLSVersion.TLSv1_3) == REFUSED
    assert await deferToThread(knock_with_openssl, port.port, pki, "good", ssl.TLSVersion.TLSv1_2) == ACCEPTED


@pytest_twisted.ensureDeferred
async def test_a_name_with_control_characters_stays_on_its_line(opened: Open, tmp_path: Path, pki: Path) -> None:
    write_pair(tmp_path, "evil", Authority("Elsewhere", 2).issue(Leaf(name="a\nTLS client accepted\x1b[2J")))
    (tmp_path / "cacert.pem").write_bytes((pki / "cacert.pem").read_bytes())
    port = opened()
    assert await knock(knock_with_openssl, port, tmp_path, "evil") == REFUSED
    line = await port.logged("refused")
    assert "a\\u000aTLS client accepted\\u001b[2J" in line
    assert line.isprintable()


@pytest_twisted.ensureDeferred
async def test_closing_sends_all_that_was_written(opened: Open, pki: Path) -> None:
    port = opened()
    size = 4 * 1024 * 1024
    received = deferToThread(_read_all, port.port, pki)
    await port.until(lambda: bool(port.protocols))
    port.protocols[0].farewell(bytes(size))
    assert await received == size + len(ACCEPTED)


def _read_all(port: int, pki: Path) -> int:
    """How many bytes come before a proper end of TLS (an improper one raises)."""
    context = plain_context(pki)
    context.load_cert_chain(pki / "goodcert.pem", pki / "goodkey.pem")
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    total = 0
    with context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls:
        while data := tls.recv(65536):
            total += len(data)
    return total


@pytest_twisted.ensureDeferred
async def test_a_client_that_reads_nothing_pauses_its_producer(opened: Open, pki: Path) -> None:
    port = opened()
    context = plain_context(pki)
    context.load_cert_chain(pki / "goodcert.pem", pki / "goodkey.pem")
    plain = socket.create_connection(("127.0.0.1", port.port), PATIENCE)
    tls = await deferToThread(context.wrap_socket, plain, server_hostname="localhost")
    await port.until(lambda: bool(port.protocols))
    (echo,) = port.protocols
    chunk, sent = bytes(65536), 0
    while not echo.paused and sent < 64 * 1024 * 1024:
        echo.send(chunk)
        sent += len(chunk)
    assert echo.paused
    assert await deferToThread(_take, tls, sent + len(ACCEPTED)) == sent + len(ACCEPTED)
    await port.until(lambda: not echo.paused)
    tls.close()


def _take(tls: ssl.SSLSocket, size: int) -> int:
    """Read `size` bytes; how many came."""
    total = 0
    while total < size and (data := tls.recv(65536)):
        total += len(data)
    return total
