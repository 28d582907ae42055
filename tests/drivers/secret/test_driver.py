# SPDX-License-Identifier: LGPL-2.1-or-later
"""The secret driver's calls: permissions, events, turns, and what a leaving client leaves. The rest is compared with
libvirt's own driver in test_against_libvirt.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred

from tests.drivers.secret.conftest import UUID, Client, Start, document
from tests.support.toy import error_of, result_of
from virtproxy.driver import ErrorCode, ErrorDomain, Identity, Place, VirtError, remote
from virtproxy.drivers.secret import SecretDriver
from virtproxy.drivers.secret.secret import Secret

OTHER = "22222222-2222-3333-4444-555555555555"


def refused(client: Client, procedure: Any, args: Any) -> VirtError:
    """The error that a call must give, which is the secret driver's own."""
    error = error_of(client, procedure, args)
    assert error.domain == ErrorDomain.SECRET
    return error


def test_every_procedure_of_the_family_is_served(client: Client) -> None:
    family = {
        p for p in remote.PROGRAM.procedures.values() if p.family.value == "secret" and not p.event and not p.edge
    }
    assert len(family) == 10
    assert all(client.backend.driver.method(procedure) for procedure in family)


def test_a_private_value_is_shown_to_nobody(client: Client) -> None:
    secret = client.define(document(attributes="private='yes'"))
    client.set_value(secret, b"hidden")
    error = refused(client, remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=secret, flags=0))
    assert (error.code, error.message) == (ErrorCode.INVALID_SECRET, "Invalid secret: secret is private")


def test_a_document_is_validated_for_whom_asks(client: Client) -> None:
    bogus = document().replace("</secret>", "<bogus/></secret>")
    args = remote.SecretDefineXmlArgs(xml=bogus, flags=1)
    error = error_of(client, remote.SECRET_DEFINE_XML, args)
    assert error.code == ErrorCode.XML_INVALID_SCHEMA and "bogus" in str(error.message)
    result_of(client.call(remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=document(), flags=1)))
    result_of(client.call(remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=bogus, flags=0)))


class Refusing:
    """Grants everything but one permission, and notes about which secret it was asked."""

    def __init__(self, permission: str) -> None:
        self.permission = permission
        self.subjects: list[object] = []

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        if kind == "secret" and permission == self.permission:
            self.subjects.append(subject)
            return False
        return True


REFERENCE = remote.NonnullSecret(uuid=bytes.fromhex(UUID.replace("-", "")), usage_type=2, usage_id="c")
GUARDED = {
    "getattr": (remote.SECRET_LOOKUP_BY_UUID, remote.SecretLookupByUuidArgs(uuid=REFERENCE.uuid)),
    "getattr by usage": (
        remote.SECRET_LOOKUP_BY_USAGE, remote.SecretLookupByUsageArgs(usage_type=2, usage_id="c")
    ),
    "read": (remote.SECRET_GET_XML_DESC, remote.SecretGetXmlDescArgs(secret=REFERENCE, flags=0)),
    "read_secure": (remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=REFERENCE, flags=0)),
    "write": (remote.SECRET_SET_VALUE, remote.SecretSetValueArgs(secret=REFERENCE, value=b"n", flags=0)),
    "write definition": (
        remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=document(usage="c", description="n"), flags=0)
    ),
    "save": (
        remote.SECRET_DEFINE_XML, remote.SecretDefineXmlArgs(xml=document(usage="c", description="n"), flags=0)
    ),
    "delete": (remote.SECRET_UNDEFINE, remote.SecretUndefineArgs(secret=REFERENCE)),
}  # fmt: skip


@pytest.mark.parametrize("case", GUARDED)
def test_each_call_asks_for_its_permission_on_that_secret(client: Client, case: str) -> None:
    client.set_value(client.define(document(usage="c")), b"old")
    before = client.xml(REFERENCE)
    access = Refusing(case.split(maxsplit=1)[0])
    other = Client(client.backend.driver, uri="secret:///system", access=access)
    error = refused(other, *GUARDED[case])
    assert (error.code, error.message) == (ErrorCode.ACCESS_DENIED, "access denied: 'secret' denied access")
    (subject,) = access.subjects
    assert isinstance(subject, Secret)
    assert subject.ref() == REFERENCE
    assert (client.xml(REFERENCE), client.value(REFERENCE)) == (before, b"old")


def test_lists_numbers_and_events_leave_out_what_one_may_not_know_of(client: Client) -> None:
    client.define(document())
    other = Client(client.backend.driver, uri="secret:///system", access=Refusing("getattr"))
    assert other.uuids() == []
    assert result_of(other.call(remote.CONNECT_NUM_OF_SECRETS, None)).num == 0
    assert result_of(other.call(remote.CONNECT_LIST_SECRETS, remote.ConnectListSecretsArgs(maxuuids=9))).uuids == []
    args = remote.ConnectSecretEventRegisterAnyArgs(event_id=0, secret=None)
    result_of(other.call(remote.CONNECT_SECRET_EVENT_REGISTER_ANY, args))
    client.define(document(OTHER))
    assert other.events == []


def test_an_old_list_is_cut_where_its_caller_said(client: Client) -> None:
    for uuid in (UUID, OTHER):
        client.define(document(uuid))
    args = remote.ConnectListSecretsArgs(maxuuids=1)
    assert result_of(client.call(remote.CONNECT_LIST_SECRETS, args)).uuids == [UUID]


def test_nothing_shows_a_value(client: Client, tmp_path: Path) -> None:
    secret = client.define(document())
    client.set_value(secret, b"sesame")
    driver = client.backend.driver
    assert isinstance(driver, SecretDriver)
    assert "sesame" not in repr(driver.secrets.by_uuid(secret.uuid))
    (tmp_path / "config" / "secrets").chmod(0o500)
    for path in (tmp_path / "config" / "secrets").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def loop() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


@pytest_twisted.ensureDeferred
async def test_changes_take_turns_and_outlive_who_asked_for_them(
    loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = SecretDriver(Place.under(tmp_path, reactor=loop))
    await driver.start()
    gate = threading.Event()
    held: list[bytes] = []
    write: Callable[..., None] = driver.store.write_value

    def slow(held_document: Any, value: bytes) -> None:
        gate.wait(10)
        held.append(value)
        write(held_document, value)

    monkeypatch.setattr(driver.store, "write_value", slow)
    first, second = (Client(driver, uri="secret:///system") for _ in range(2))
    args = remote.SecretDefineXmlArgs(xml=document(), flags=0)
    secret = (await first.call(remote.SECRET_DEFINE_XML, args)).secret
    setting = remote.SecretSetValueArgs(secret=secret, value=b"first", flags=0)
    ensureDeferred(first.call(remote.SECRET_SET_VALUE, setting)).addErrback(lambda _: None)
    later: Deferred[None] = ensureDeferred(
        second.call(remote.SECRET_SET_VALUE, remote.SecretSetValueArgs(secret=secret, value=b"second", flags=0))
    )
    first.close()
    gate.set()
    await later
    assert held == [b"first", b"second"]
    assert (
        await second.call(remote.SECRET_GET_VALUE, remote.SecretGetValueArgs(secret=secret, flags=0))
    ).value == b"second"
    await driver.stop()


def test_a_disk_that_refuses_changes_nothing(client: Client, monkeypatch: pytest.MonkeyPatch, secrets: Path) -> None:
    secret = client.define(document())
    client.set_value(secret, b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", f"{secrets}/x")

    monkeypatch.setattr("virtproxy.drivers.secret.store.write_file", full)
    error = refused(client, remote.SECRET_SET_VALUE, remote.SecretSetValueArgs(secret=secret, value=b"new", flags=0))
    assert (error.code, error.int1) == (ErrorCode.SYSTEM_ERROR, 28)
    assert error.message == f"cannot write '{secrets}/x': No space left on device"
    assert client.value(secret) == b"old"
    assert len(client.uuids()) == 1


def test_it_starts_again_with_all_but_ephemeral_secrets(client: Client, start: Start) -> None:
    kept, gone = client.define(document(usage="c")), client.define(document(OTHER, attributes="ephemeral='yes'"))
    client.set_value(kept, b"value")
    client.set_value(gone, b"lost")
    assert client.backend.driver.busy() == 1
    again = start()
    assert again.backend.driver.busy() == 0
    assert again.uuids() == [UUID.replace("-", "")]
    assert again.value(kept) == b"value"
