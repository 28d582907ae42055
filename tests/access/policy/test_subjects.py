# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who a rule is for: every way to name callers, and how they are put together."""

from __future__ import annotations

import getpass
from dataclasses import replace

import pytest

from tests.access.policy.examples import ALICE, BOB, CAROL, CONNECTION, DAVE, NOBODY, ROOT, decider, may
from virtproxy.access.policy.who import GROUPS_SECONDS, Groups
from virtproxy.identity import Identity

ALL = {"alice": ALICE, "bob": BOB, "root": ROOT, "carol": CAROL, "dave": DAVE, "nobody": NOBODY}
PASSWORD = replace(DAVE, sasl_mechanism="SCRAM-SHA-256")


def meant(text: str, to: str = '"them"') -> set[str]:
    """Who of all is meant by a subject."""
    rules = decider(f"{text}\n[[grant]]\nto = {to}\npermissions = 'connect:getattr'\n")
    return {name for name, identity in ALL.items() if may(rules, identity, "getattr", CONNECTION)}


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("user = 'alice'", {"alice"}),
        ("user = ['alice', 'bob']", {"alice", "bob"}),
        ("uid = [0, 1002]", {"root", "bob"}),
        ("group = 'ops'", {"alice"}),
        ("group = ['ops', 'staff']", {"alice", "bob"}),
        ("sasl = '*@EXAMPLE.COM'", {"dave"}),
        ("sasl = 'dave'", set()),
        ("realm = 'EXAMPLE.COM'", {"dave"}),
        ("realm = 'example.com'", set()),
        ("mechanism = ['GSSAPI', 'PLAIN']", {"dave"}),
        ("x509 = 'O=Example,CN=*'", {"carol"}),
        ("x509 = 'CN=carol'", set()),
        ("san = 'DNS:*.example'", {"carol"}),
        ("san = 'DNS:C.Example'", {"carol"}),
        ("transport = 'unix'", {"alice", "bob", "root"}),
        ("transport = ['tcp', 'tls']", {"carol", "dave", "nobody"}),
        ("address = '10.0.0.0/8'", {"dave"}),
        ("address = ['192.0.2.0/24', '2001:db8::/32']", {"carol"}),
        ("readonly = false", {*ALL}),
        ("readonly = true", set()),
        ("everyone = true", {*ALL}),
        ("group = 'staff'\nuser = 'alice'", {"alice"}),
        ("group = 'ops'\ntransport = 'tls'", set()),
        ("subject = 'team'", {"alice", "bob"}),
        ("subject = 'team'\nuser = 'bob'", {"bob"}),
    ],
)
def test_conditions(text: str, who: set[str]) -> None:
    assert meant(f"[subjects.team]\ngroup = 'staff'\n[subjects.them]\n{text}") == who


def test_several_ways_to_be_meant() -> None:
    text = "[[subjects.them]]\nuser = 'alice'\n[[subjects.them]]\ntransport = 'tls'\nx509 = '*'\n"
    assert meant(text) == {"alice", "carol"}


@pytest.mark.parametrize(
    ("to", "who"),
    [
        ("'user:alice'", {"alice"}),
        ("['uid:0', 'group:staff']", {"root", "alice", "bob"}),
        ("'x509:O=Example,CN=carol'", {"carol"}),
        ("'address:2001:db8::/32'", set()),
        ("'everyone'", {*ALL}),
        ("'everyone'\nexcept = ['transport:unix', 'user:nobody']", {"carol", "dave", "nobody"}),
    ],
)
def test_written_out_in_a_rule(to: str, who: set[str]) -> None:
    assert meant("", to) == who


def test_a_realm_is_proven_by_kerberos_alone() -> None:
    rules = decider("[[grant]]\nto = 'realm:EXAMPLE.COM'\npermissions = 'connect:getattr'")
    assert may(rules, DAVE, "getattr", CONNECTION)
    assert not may(rules, PASSWORD, "getattr", CONNECTION)
    assert not may(rules, replace(DAVE, sasl_user="dave"), "getattr", CONNECTION)


def test_a_kerberos_user_of_the_hosts_own_realm_has_two_names_and_owns_under_the_whole_one() -> None:
    joe = replace(DAVE, sasl_user="joe", principal="joe@HERE.EXAMPLE")
    rules = decider("[[grant]]\nto = ['sasl:joe', 'realm:HERE.EXAMPLE']\npermissions = 'connect:getattr'")
    assert may(rules, joe, "getattr", CONNECTION)
    whole = decider("[[grant]]\nto = 'sasl:*@HERE.EXAMPLE'\npermissions = 'connect:getattr'")
    assert may(whole, joe, "getattr", CONNECTION)
    assert rules.owner_of(joe) == "sasl:joe@HERE.EXAMPLE"


@pytest.mark.parametrize(
    "address", ["10.1.2.3:5", "10.1.2.3", "[::ffff:10.1.2.3]:5", "[fd00::1]:5", "fd00::1", "[fd00::1%eth0]:5"]
)
def test_addresses_with_and_without_a_port(address: str) -> None:
    rules = decider("[[grant]]\nto = ['address:10.0.0.0/8', 'address:fd00::/8']\npermissions = 'connect:getattr'")
    assert may(rules, Identity(transport="tcp", address=address), "getattr", CONNECTION)
    for other in ("unknown", "", "11.1.2.3:5", "[::1]:5"):
        assert not may(rules, Identity(transport="tcp", address=other), "getattr", CONNECTION)


def test_groups_are_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [100.0], list[str]()

    def look_up(user: str) -> frozenset[str]:
        asked.append(user)
        return frozenset({user})

    monkeypatch.setattr("virtproxy.access.policy.who._groups_of", look_up)
    groups = Groups(lambda: now[0])
    assert groups(ALICE) == groups(replace(ALICE, pid=9)) == {"alice"}
    assert asked == ["alice"]
    now[0] += GROUPS_SECONDS
    groups(ALICE)
    assert asked == ["alice", "alice"]
    assert groups(DAVE) == frozenset()


def test_groups_of_the_user_database() -> None:
    user = getpass.getuser()
    assert Groups()(Identity(user_name=user)) >= ({"root"} if user == "root" else set())
    assert Groups()(Identity(user_name="no-such-user")) == frozenset()


def test_a_connection_keeps_the_groups_that_it_began_with() -> None:
    rules = decider("[[grant]]\nto = 'group:ops'\npermissions = 'connect:getattr'")
    assert may(rules, ALICE, "getattr", CONNECTION)
    rules.policy.groups_of = lambda identity: frozenset()
    assert may(rules, ALICE, "getattr", CONNECTION)
    assert not may(rules, replace(ALICE, pid=9), "getattr", CONNECTION)
