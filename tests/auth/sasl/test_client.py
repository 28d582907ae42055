# SPDX-License-Identifier: LGPL-2.1-or-later
"""Our own client logs in by SASL to a whole virtproxyd, by each mechanism and over each transport."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults

from tests.auth.sasl.conftest import Door
from tests.support.sasl import REALM, USERS, Realm, server_of_tests
from virtproxy.auth.sasl.client import SaslClient, client_library
from virtproxy.auth.sasl.connection import Demands, SaslConnection
from virtproxy.client import ConnectError, Credentials, VirtError, connect
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

pytestmark = pytest.mark.programs("saslpasswd2", "krb5kdc", "kadmin.local", "kinit")
JOE = Credentials("joe", USERS["joe"])
WAYS = [
    ("unix", "SCRAM-SHA-256"),
    ("tls", "SCRAM-SHA-256"),
    ("tls", "PLAIN"),
    ("tcp", "DIGEST-MD5"),
    ("unix", "DIGEST-MD5"),
]


@pytest.fixture(autouse=True)
def libsasl() -> None:
    """The same libsasl2 as for everybody else in this process."""
    server_of_tests()


async def sees_a_guest(reactor: Any, uri: str, credentials: Credentials | None = JOE) -> int:
    """How strong the layer of a client is that comes in."""
    async with connect(reactor, uri, credentials=credentials) as client:
        found = await client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="test"))
        assert found.dom.name == "test"
        return client._connection.ssf


@pytest.mark.parametrize(("transport", "mechanism"), WAYS)
@pytest_twisted.ensureDeferred
async def test_by_password(door: Door, loop: Any, transport: str, mechanism: str) -> None:
    ssf = await sees_a_guest(loop, door.uri(transport) + f"auth=sasl.{mechanism}")
    assert ssf == (128 if transport == "tcp" else 0)


@pytest_twisted.ensureDeferred
async def test_by_kerberos(door: Door, realm: Realm, loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in realm.ticket("joe").items():
        monkeypatch.setenv(name, value)
    assert await sees_a_guest(loop, door.uri("tcp") + "auth=sasl.GSSAPI", None) == 256
    assert await sees_a_guest(loop, door.uri("tls") + "auth=sasl.GSSAPI", None) == 0


@pytest.mark.parametrize(("home", "user"), [(REALM, "joe"), ("ELSEWHERE.TEST", f"joe@{REALM}")])
def test_the_name_has_the_realm_where_it_is_not_ours(
    realm: Realm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str, user: str
) -> None:
    """What libsasl2 makes of it; the principal is whole in any case."""
    config = tmp_path / "krb5.conf"
    config.write_text(
        Path(realm.environ["KRB5_CONFIG"]).read_text().replace(f"default_realm = {REALM}", f"default_realm = {home}")
    )
    for name, value in {**realm.ticket("joe"), "KRB5_CONFIG": str(config)}.items():
        monkeypatch.setenv(name, value)
    server, client = SaslConnection(server_of_tests(), Demands(56)), SaslClient(client_library(), "localhost", 56, None)
    mechanism, said = client.start("GSSAPI")
    asked = server.start(mechanism, said.data)
    while not (asked.complete and said.complete):
        if not said.complete:
            said = client.step(asked.data)
        if not asked.complete:
            asked = server.step(said.data)
    assert (server.user, server.principal, server.mechanism) == (user, f"joe@{REALM}", "GSSAPI")


@pytest_twisted.ensureDeferred
async def test_what_does_not_come_in(door: Door, loop: Any) -> None:
    for credentials in (Credentials("joe", "wrong"), Credentials("eve", USERS["eve"]), Credentials("nobody", "x")):
        with pytest.raises(VirtError) as refused:
            await sees_a_guest(loop, door.uri("tls"), credentials)
        assert refused.value.code == ErrorCode.AUTH_FAILED
    for more, why in (("auth=sasl.NOSUCH", "NOSUCH is not offered; SCRAM"), ("auth=polkit", "by sasl, not by polkit")):
        with pytest.raises(ConnectError, match=re.escape(why)):
            await sees_a_guest(loop, door.uri("tls") + more)
    with pytest.raises(ConnectError, match="SCRAM-SHA-256 is not offered"):
        await sees_a_guest(loop, door.uri("tcp") + "auth=sasl.SCRAM-SHA-256")


def test_a_password_is_not_shown() -> None:
    assert USERS["joe"] not in repr(JOE)


@pytest_twisted.ensureDeferred
async def test_many_at_once_by_every_mechanism(
    door: Door, realm: Realm, loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logins run in threads, at both ends: libsasl2 must stand it."""
    for name, value in realm.ticket("joe").items():
        monkeypatch.setenv(name, value)
    ways = [*WAYS, ("tcp", "GSSAPI")] * 10
    uris = [door.uri(transport) + f"auth=sasl.{mechanism}" for transport, mechanism in ways]
    strengths = await gatherResults([Deferred.fromCoroutine(sees_a_guest(loop, uri)) for uri in uris])
    assert sorted(strengths) == [0] * 40 + [128] * 10 + [256] * 10
