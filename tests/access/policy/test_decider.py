# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a policy decides: grants, denies, owned things, documents, quotas, report mode."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.access.policy.examples import (
    ALICE,
    BOB,
    CAROL,
    CONNECTION,
    DAVE,
    DB,
    NOBODY,
    ROOT,
    VOLUME,
    WEB,
    claim,
    decider,
    may,
    owned,
)
from virtproxy.access.decision import GRANTED, Thing
from virtproxy.access.policy.quotas import Usage
from virtproxy.identity import Identity

PORT = Thing("network_port", "network", "network:///system", details=(("network_name", "n"),))


def test_who_is_not_named_may_nothing() -> None:
    rules = decider('grant = [{ to = "user:alice", roles = "admin" }]')
    assert may(rules, ALICE, "start", WEB)
    for other in (BOB, ROOT, CAROL, DAVE, NOBODY):
        assert not may(rules, other, "getattr", CONNECTION)
        assert rules.always(other, "domain", "start") is False


def test_a_refusal_names_what_is_missing_and_a_grant_its_line() -> None:
    rules = decider(
        """
        [[grant]]
        to = "user:alice"
        roles = "viewer"
        """
    )
    refused = rules.decide(ALICE, "start", WEB)
    assert (refused.granted, refused.missing) == (False, "domain:start on domain 'web1'")
    assert rules.decide(ALICE, "read", WEB).rule == "policy.toml:2 grant viewer to user:alice"


def test_a_deny_wins_and_names_its_line() -> None:
    rules = decider(
        """
        [[deny]]
        to = "everyone"
        except = "user:root"
        permissions = "domain:delete"
        on = "domain:web*"

        [[grant]]
        to = ["user:alice", "user:root"]
        roles = "admin"
        """
    )
    assert rules.decide(ALICE, "delete", WEB).rule == "policy.toml:2 deny to everyone except user:root"
    assert may(rules, ALICE, "delete", DB)
    assert may(rules, ROOT, "delete", WEB)
    assert rules.always(ALICE, "domain", "delete") is None


def test_a_deny_on_what_is_not_known_of_a_thing_refuses_and_a_grant_on_it_does_not_grant() -> None:
    unnamed = replace(WEB, name=None)
    rules = decider(
        """
        [[grant]]
        to = "everyone"
        permissions = "domain:*"
        [[deny]]
        to = "everyone"
        permissions = "domain:delete"
        on = "domain:db*"
        [[grant]]
        to = "everyone"
        permissions = "network:start"
        on = "network:web*"
        """
    )
    assert may(rules, BOB, "delete", WEB)
    assert not may(rules, BOB, "delete", unnamed)
    assert not may(rules, BOB, "start", Thing("network", "network", "network:///system"))


@pytest.mark.parametrize(
    ("on", "thing", "matches"),
    [
        ('"domain"', WEB, True),
        ('"domain:web*"', WEB, True),
        ('"domain:web"', WEB, False),
        ('"domain:web?"', WEB, True),
        ('"network:web*"', WEB, False),
        ('{ name = ["x", "web1"] }', WEB, True),
        ('{ uuid = "8C1C5D64-5a3e-4d5c-9d9b-1d3c1f7c2b10" }', WEB, True),
        ('{ uuid = "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b11" }', WEB, False),
        ('{ uuid = "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b10" }', VOLUME, False),
        ('{ uri = "qemu:///*" }', WEB, True),
        ('{ uri = "lxc:///*" }', WEB, False),
        ('{ driver = "qemu" }', WEB, True),
        ('{ driver = "qemu", name = "db*" }', WEB, False),
        ('{ pool = "guests" }', VOLUME, True),
        ('{ pool = "guests" }', Thing("storage_pool", "storage", "storage:///system", "guests"), True),
        ('{ pool = "*" }', WEB, False),
        ('{ pool = "other" }', VOLUME, False),
        ('{ network = "n" }', PORT, True),
        ("{ owned = true }", owned(WEB, "unix:alice"), True),
        ("{ owned = true }", owned(WEB, "unix:bob"), False),
        ("{ owned = true }", WEB, False),
        ("{ owned = false }", WEB, True),
        ("{ owned = false }", owned(WEB, "unix:alice"), False),
    ],
)  # fmt: skip
def test_things(on: str, thing: Thing, matches: bool) -> None:
    rules = decider(f'grant = [{{ to = "everyone", permissions = "*:*", on = [{on}] }}]')
    assert may(rules, ALICE, "getattr", thing) is matches
    denying = decider(
        f'grant = [{{ to = "everyone", roles = "admin" }}]\n'
        f'deny = [{{ to = "everyone", permissions = "*:*", on = [{on}] }}]'
    )
    assert may(denying, ALICE, "getattr", thing) is not matches


def test_a_grant_on_some_things_lets_the_connection_be_used_but_not_changed() -> None:
    rules = decider('grant = [{ to = "user:alice", roles = "admin", on = "domain:web*" }]')
    for permission in ("getattr", "read", "search_domains"):
        assert may(rules, ALICE, permission, CONNECTION)
    for permission in ("write", "pm_control", "interface_transaction"):
        assert not may(rules, ALICE, permission, CONNECTION)
    elsewhere = decider('grant = [{ to = "user:alice", roles = "admin", on = { kind = "domain", uri = "lxc:///*" } }]')
    assert not may(elsewhere, ALICE, "getattr", CONNECTION)


def test_an_owner_has_everything_on_its_own_things_only() -> None:
    rules = decider('grant = [{ to = "everyone", roles = "owner" }]')
    for permission in ("start", "read_secure", "delete", "write"):
        assert may(rules, ALICE, permission, owned(WEB, "unix:alice"))
        assert not may(rules, BOB, permission, owned(WEB, "unix:alice"))
        assert not may(rules, ALICE, permission, WEB)
    assert may(rules, ALICE, "search_domains", CONNECTION)
    assert not may(rules, ALICE, "write", CONNECTION)
    assert not may(rules, NOBODY, "start", owned(WEB, None))


def test_an_own_role_that_counts_on_owned_things_grants_nothing_on_the_connection_but_the_way() -> None:
    rules = decider(
        """
        [roles.everything]
        permissions = ["*:*"]
        owned = true
        [[grant]]
        to = "everyone"
        roles = "everything"
        """
    )
    assert may(rules, ALICE, "getattr", CONNECTION)
    assert not may(rules, ALICE, "write", CONNECTION)
    assert not rules.unlimited(ALICE)


@pytest.mark.parametrize(
    ("identity", "owner"),
    [
        (ALICE, "unix:alice"),
        (CAROL, "x509:O=Example,CN=carol"),
        (DAVE, "sasl:dave@EXAMPLE.COM"),
        (replace(ALICE, sasl_user="al"), "sasl:al"),
        (Identity(uid=77), "uid:77"),
        (NOBODY, None),
    ],
)
def test_under_which_name_one_owns(identity: Identity, owner: str | None) -> None:
    assert decider('grant = [{ to = "everyone", roles = "owner" }]').owner_of(identity) == owner


def test_claims() -> None:
    rules = decider(
        """
        [[documents]]
        to = "user:alice"
        disks = ["/srv/alice/**", "/isos/*.iso"]
        networks = "default"
        listens = true
        migration_uris = "tcp://192.0.2.*"
        """
    )

    def judge(kind: str, value: str) -> bool:
        return rules.judge(ALICE, [claim("network", "default"), claim(kind, value)]).granted

    assert judge("file", "/srv/alice/a/b.img")
    assert judge("file", "/isos/debian.iso")
    assert judge("listen", "0.0.0.0:*")
    assert judge("migration_uri", "tcp://192.0.2.7:49152")
    for kind, value in [
        ("file", "/srv/alice"), ("file", "/srv/alice/../bob/x"), ("file", "/srv/alice//x"), ("file", "srv/alice/x"),
        ("file", "/isos/a/b.iso"), ("file", "/srv/alicex/y"), ("network", "defaults"), ("network", "Default"),
        ("host_device", "pci:0000:01:00.0"), ("native", "qemu:commandline"), ("migration_uri", "tcp://192.0.2.7/x"),
        ("unknown", "domain/x"),
    ]:  # fmt: skip
        assert not judge(kind, value), (kind, value)
    assert rules.judge(BOB, []) == GRANTED
    refused = rules.judge(BOB, [claim("file", "/etc/shadow", "../x")])
    assert refused.missing == "disk source /etc/shadow (as ../x) at devices/disk[1] is not granted (documents.disks)"


def test_whose_documents_are_unlimited() -> None:
    rules = decider(
        """
        [[grant]]
        to = "user:root"
        roles = "admin"
        [[grant]]
        to = "user:alice"
        roles = "admin"
        on = "domain:web*"
        [[documents]]
        to = "user:bob"
        all = true
        """
    )
    assert rules.unlimited(ROOT)
    assert rules.unlimited(BOB)
    assert not rules.unlimited(ALICE)
    assert rules.judge(ROOT, [claim("file", "/etc/shadow")]).granted
    assert not rules.judge(ALICE, [claim("file", "/etc/shadow")]).granted


def test_every_quota_that_is_for_one_holds() -> None:
    rules = decider(
        """
        [[quota]]
        to = "everyone"
        except = "user:root"
        guests = 3
        memory = "16GiB"
        [[quota]]
        to = "group:staff"
        guests = 2
        vcpus = 4
        """
    )
    assert rules.judge_usage(BOB, Usage(guests=2, vcpus=4, memory=16 << 30, volumes=1 << 60)).granted
    over = rules.judge_usage(BOB, Usage(guests=3))
    assert (over.missing, over.rule) == ("quota of 2 guests (3 wanted)", "policy.toml:7 quota of group:staff")
    assert not rules.judge_usage(CAROL, Usage(memory=(16 << 30) + 1)).granted
    assert not rules.quota_of(ROOT).is_limited


def test_report_mode_grants_and_says_what_it_would_refuse() -> None:
    rules = decider(
        """
        mode = "report"
        [[quota]]
        to = "everyone"
        guests = 0
        """
    )
    for decision in (
        rules.decide(BOB, "start", WEB),
        rules.judge(BOB, [claim("file", "/etc/shadow")]),
        rules.judge_usage(BOB, Usage(guests=1)),
    ):
        assert (decision.granted, decision.pretended) == (True, True)
        assert decision.missing
    assert rules.always(BOB, "domain", "start") is None
    assert rules.decide(BOB, "start", WEB).rule == "no grant"


def test_profiles_are_alike_for_callers_of_the_same_rules() -> None:
    text = 'grant = [{ to = "user:alice", roles = "admin" }, { to = "everyone", roles = "viewer" }]'
    rules = decider(text)
    assert rules.profile(BOB) == rules.profile(CAROL) != rules.profile(ALICE)
    before = rules.profile(BOB)
    rules.replace(decider(text).policy)
    assert rules.profile(BOB) != before
