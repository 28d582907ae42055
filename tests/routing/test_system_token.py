# SPDX-License-Identifier: LGPL-2.1-or-later
"""The token of a host's daemons: made once, kept where libvirt has it, and needed to see private secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from tests.support.proxy import Proxy
from virtproxy.daemon.peers import Peers
from virtproxy.driver import Place, VirtError
from virtproxy.driver.backend import LocalBackend
from virtproxy.drivers.secret import SecretDriver
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.remote import TypedParam, TypedParamValue
from virtproxy.routing.identity_params import identity_of, identity_params
from virtproxy.routing.router import Router
from virtproxy.routing.system_token import SystemToken

TOKEN = "0123456789abcdef0123456789abcdef"
XML = "<secret private='yes'><usage type='ceph'><name>c</name></usage></secret>"


def test_the_first_makes_it_and_the_others_read_it(tmp_path: Path) -> None:
    first, second = SystemToken(str(tmp_path)), SystemToken(str(tmp_path))
    text = first.text()
    assert text is not None
    assert second.text() == text == (tmp_path / "common" / "system.token").read_text()
    assert second.proves(text)
    assert not second.proves(TOKEN)
    assert not second.proves("é")
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "common", Path(first.path))] == [0o700, 0o600]
    assert [path.name for path in (tmp_path / "common").iterdir()] == ["system.token"]


@pytest.mark.parametrize("content", ["", "short", "X" * 32])
def test_what_is_no_token_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "system.token").write_text(content)
    text = SystemToken(str(tmp_path)).text()
    assert text is not None
    assert (len(text), SystemToken(str(tmp_path)).text()) == (32, text)


def test_a_place_that_cannot_be_written_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "common").write_text("a file")
    token = SystemToken(str(tmp_path))
    assert token.text() is None
    assert not token.proves("")


def test_only_the_right_token_makes_a_daemon() -> None:
    params = identity_params(Identity(uid=0, system_token=TOKEN))
    assert identity_of(params, Identity()).is_daemon is False
    assert identity_of(params, Identity(), lambda shown: shown == TOKEN).is_daemon is True
    assert identity_of(identity_params(Identity()), Identity(system_token=TOKEN), lambda _: True).is_daemon is False
    assert TOKEN not in repr(Identity(system_token=TOKEN))


@pytest.fixture
def loop() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


@pytest.fixture
def proxy(loop: Any, tmp_path: Path) -> Iterator[Proxy]:
    """A daemon with the secret driver, on a host with that token."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "system.token").write_text(TOKEN)
    driver = SecretDriver(Place.under(tmp_path))

    def open_local(target: Any, flags: int, identity: Any, client: Any) -> LocalBackend:
        return LocalBackend(driver, client, identity, uri=target.uri)

    made = Proxy(loop, {}, local={"secret": open_local})
    made.router = Router(loop, "system", {}, {"secret": open_local}, token=SystemToken(str(tmp_path)))
    pytest_twisted.blockon(ensureDeferred(driver.start()))
    yield made
    pytest_twisted.blockon(ensureDeferred(made.close()))


async def private(proxy: Proxy) -> remote.NonnullSecret:
    """A private secret with a value."""
    client = await proxy.client("secret:///system")
    secret = (await client.call(remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=XML, flags=0))).secret
    await client.call(remote.SECRET_SET_VALUE, remote.SecretSetValueArgs(secret=secret, value=b"v", flags=0))
    return secret


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_shows_it_sees_private_secrets_and_nobody_else_does(proxy: Proxy) -> None:
    args = remote.SecretGetValueArgs(secret=await private(proxy), flags=0)
    for shown, sees in ((TOKEN, True), (TOKEN[::-1], False), (None, False)):
        client = await proxy.client("secret:///system")
        if shown is not None:
            param = TypedParam(field="system.token", value=TypedParamValue(7, shown))
            await client.call(remote.CONNECT_SET_IDENTITY, remote.ConnectSetIdentityArgs(params=[param], flags=0))
        if sees:
            assert (await client.call(remote.SECRET_GET_VALUE, args)).value == b"v"
        else:
            with pytest.raises(VirtError, match="secret is private"):
                await client.call(remote.SECRET_GET_VALUE, args)


@pytest_twisted.ensureDeferred
async def test_a_driver_that_asks_another_daemon_shows_it(proxy: Proxy, loop: Any, tmp_path: Path) -> None:
    args = remote.SecretGetValueArgs(secret=await private(proxy), flags=0)
    for token, sees in ((SystemToken(str(tmp_path)), True), (None, False)):
        peers = Peers()
        peers.router = Router(loop, "system", {"secret": proxy.path}, opens_relayed=False, token=token)
        peer = await peers.ask("secret")
        if sees:
            assert (await peer.call(remote.SECRET_GET_VALUE, args)).value == b"v"
        else:
            with pytest.raises(VirtError, match="secret is private"):
                await peer.call(remote.SECRET_GET_VALUE, args)
        peer.close()
