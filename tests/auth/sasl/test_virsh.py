# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh logs in by SASL: SCRAM over what is encrypted already, Kerberos and DIGEST-MD5 with a layer over TCP."""

from __future__ import annotations

import json
import re

import pytest

from tests.auth.sasl.conftest import Door
from tests.support.recorder import Recorder
from tests.support.sasl import USERS, Realm

pytestmark = pytest.mark.programs("virsh", "saslpasswd2", "krb5kdc", "kadmin.local", "kinit")
JOE = ("joe", USERS["joe"])
IN = (0, "test")
READABLE = b"<domain type='test'"


@pytest.mark.parametrize("transport", ["unix", "tls"])
def test_scram_where_the_transport_is_safe(door: Door, transport: str) -> None:
    uri = door.uri(transport) + "auth=sasl.SCRAM-SHA-256&"
    assert door.virsh(uri, user=JOE) == IN
    door.daemon.wait_for(r"a client logged in: .*SASL user joe")


@pytest.mark.parametrize("transport", ["unix", "tls"])
@pytest.mark.parametrize(
    ("user", "why"),
    [
        (("joe", "wrong"), "SASL SCRAM-SHA-256: authentication failure"),
        (("nobody", "secret"), "SASL SCRAM-SHA-256: user not found"),
        (("eve", USERS["eve"]), 'SASL SCRAM-SHA-256: the user "eve" is not in sasl_allowed_username_list'),
    ],
    ids=["password", "unknown", "unlisted"],
)
def test_who_may_not_come_in_is_not_told_why(door: Door, transport: str, user: tuple[str, str], why: str) -> None:
    status, output = door.virsh(door.uri(transport) + "auth=sasl.SCRAM-SHA-256&", user=user)
    assert status == 1
    assert "authentication failed" in output
    assert why not in output
    door.daemon.wait_for(re.escape(why))
    assert user[1] not in door.daemon.said()


def test_scram_has_no_encryption_and_tcp_does_not_carry_it(door: Door) -> None:
    status, output = door.virsh(door.uri("tcp") + "auth=sasl.SCRAM-SHA-256&", user=JOE)
    assert status == 1
    assert "SCRAM-SHA-256" in output


@pytest.mark.parametrize("mechanism", ["GSSAPI", "DIGEST-MD5"])
def test_a_layer_over_tcp_hides_what_is_said(door: Door, realm: Realm, mechanism: str) -> None:
    environ, user = (realm.ticket("joe"), None) if mechanism == "GSSAPI" else ({}, JOE)
    recorder = Recorder(door.tcp)
    uri = door.uri("tcp", recorder.port) + f"auth=sasl.{mechanism}&"
    try:
        status, output = door.virsh(uri, "dumpxml", "test", user=user, environ=environ)
    finally:
        recorder.close()
    assert (status, READABLE.decode() in output) == (0, True)
    assert mechanism.encode() in recorder.received
    assert len(recorder.received) > len(output)
    assert READABLE not in recorder.seen
    assert b"test:///default" not in recorder.seen
    door.daemon.wait_for("a client logged in: SASL user joe over tcp")


def test_kerberos_without_a_ticket(door: Door, realm: Realm) -> None:
    environ = {**realm.environ, "KRB5CCNAME": f"FILE:{door.place}/none"}
    status, output = door.virsh(door.uri("tcp") + "auth=sasl.GSSAPI&", environ=environ)
    assert status == 1
    assert "SASL" in output


def test_a_kerberos_user_who_is_not_listed(door: Door, realm: Realm) -> None:
    status, output = door.virsh(door.uri("tcp") + "auth=sasl.GSSAPI&", environ=realm.ticket("eve"))
    assert (status, "authentication failed" in output) == (1, True)
    door.daemon.wait_for('GSSAPI: the user "eve" is not in sasl_allowed_username_list')


def test_the_read_only_socket_asks_nobody(door: Door) -> None:
    assert door.virsh(f"test+unix:///default?socket={door.place}/libvirt-sock-ro") == IN


def test_nothing_went_wrong(door: Door) -> None:
    assert "Traceback" not in door.daemon.said()
    assert door.virsh(door.uri("tls") + "auth=sasl.PLAIN&", user=("ann", USERS["ann"])) == IN


def test_the_audit_knows_who_came_in_and_who_did_not(door: Door, realm: Realm) -> None:
    """The audit's file is written before each answer, the one before a layer too."""
    assert door.virsh(door.uri("tcp") + "auth=sasl.GSSAPI&", environ=realm.ticket("joe")) == IN
    door.virsh(door.uri("tls") + "auth=sasl.SCRAM-SHA-256&", user=("ann", "wrong"))
    written = (door.place / "audit").read_text()
    logins = [entry for entry in map(json.loads, written.splitlines()) if entry.get("event") == "login"]
    in_by = {(entry["transport"], entry["subject"].get("sasl"), entry["result"]) for entry in logins}
    assert ("tcp", "joe", "ok") in in_by
    assert ("tls", None, "error") in in_by
    assert not [secret for secret in (*USERS.values(), "wrong") if f'"{secret}"' in written]
