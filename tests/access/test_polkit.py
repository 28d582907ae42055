# SPDX-License-Identifier: LGPL-2.1-or-later
"""The polkit decider: which question each permission becomes, how many at a time, and who is not asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from virtproxy.access import details
from virtproxy.access.acl import KINDS
from virtproxy.access.decision import Decision, Thing
from virtproxy.access.polkit import AT_ONCE, PolkitDecider
from virtproxy.access.rules import rules_of
from virtproxy.identity import Identity
from virtproxy.protocol import programs
from virtproxy.protocol.enums.secret import SecretUsageType

CALLER = Identity(uid=1000, pid=7, process_start_time=70)
UUID = "c7a5fdbd-edaf-9455-926a-d65c16db1809"
GUEST = Thing("domain", "QEMU", "qemu:///system", "web", UUID, details.domain("web", UUID))


class Polkit:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Identity, str, Mapping[str, str]]] = []
        self.waiting: list[Deferred[bool | None]] = []

    async def permits(self, identity: Identity, action: str, details: Mapping[str, str]) -> bool | None:
        self.asked.append((identity, action, details))
        self.waiting.append(Deferred())
        return await self.waiting[-1]

    def answer(self, granted: bool | None = True) -> None:
        """Answer the oldest question."""
        self.waiting.pop(0).callback(granted)


def decide(decider: PolkitDecider, identity: Identity, permission: str, thing: Thing) -> Deferred[Decision]:
    """The decision of a question that polkit gets."""
    thought = decider.decide(identity, permission, thing)
    assert not isinstance(thought, Decision)
    return ensureDeferred(thought)


@pytest.mark.parametrize("granted", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_permission_is_an_action_with_details(granted: bool) -> None:
    polkit = Polkit()
    decision = decide(PolkitDecider(polkit), CALLER, "block_read", GUEST)
    polkit.answer(granted)
    assert await decision == Decision(granted, "polkit org.libvirt.api.domain.block-read")
    told = {"connect_driver": "QEMU", "domain_name": "web", "domain_uuid": UUID}
    assert polkit.asked == [(CALLER, "org.libvirt.api.domain.block-read", told)]


@pytest_twisted.ensureDeferred
async def test_no_answer_is_a_no() -> None:
    polkit = Polkit()
    decision = decide(PolkitDecider(polkit), CALLER, "read", GUEST)
    polkit.answer(None)
    assert await decision == Decision(False, "polkit org.libvirt.api.domain.read: no answer")


@pytest.mark.parametrize("lack", ["uid", "pid", "process_start_time"])
def test_whoever_is_no_process_gets_nothing_and_is_not_asked_about(lack: str) -> None:
    polkit = Polkit()
    decider = PolkitDecider(polkit)
    unknown: dict[str, Any] = {lack: None}
    stranger = replace(CALLER, transport="tls", sasl_user="joe", **unknown)
    decision = decider.decide(stranger, "getattr", GUEST)
    assert isinstance(decision, Decision)
    assert not decision.granted
    assert decider.always(stranger, "connect", "getattr") is False
    assert decider.always(CALLER, "connect", "getattr") is None
    assert decider.profile(stranger) != decider.profile(CALLER)
    assert polkit.asked == []


@pytest.mark.parametrize(("kind", "permission"), [("domain", "fly"), ("cloud", "start"), ("storage_vol", "write")])
def test_a_permission_that_there_is_not_is_refused(kind: str, permission: str) -> None:
    decision = PolkitDecider(Polkit()).decide(CALLER, permission, replace(GUEST, kind=kind))
    assert isinstance(decision, Decision)
    assert not decision.granted


@pytest_twisted.ensureDeferred
async def test_a_long_list_of_one_caller_leaves_room_for_another() -> None:
    polkit = Polkit()
    decider = PolkitDecider(polkit)
    many = gatherResults([decide(decider, CALLER, "getattr", GUEST) for _ in range(3 * AT_ONCE)])
    assert len(polkit.asked) == AT_ONCE
    other = decide(decider, replace(CALLER, pid=8), "getattr", GUEST)
    assert len(polkit.asked) == AT_ONCE + 1
    polkit.waiting.pop().callback(False)
    assert not (await other).granted
    most = 0
    while polkit.waiting:
        most = max(most, len(polkit.waiting))
        polkit.answer()
    assert most == AT_ONCE
    assert [decision.granted for decision in await many] == [True] * 3 * AT_ONCE


@pytest_twisted.ensureDeferred
async def test_a_call_that_is_given_up_leaves_its_place() -> None:
    polkit = Polkit()
    decider = PolkitDecider(polkit)
    given_up = [decide(decider, CALLER, "getattr", GUEST) for _ in range(AT_ONCE + 2)]
    for one in given_up:
        one.addErrback(lambda failure: None)
        one.cancel()
    assert len(polkit.asked) <= AT_ONCE + 2
    polkit.waiting.clear()
    last = decide(decider, CALLER, "getattr", GUEST)
    polkit.answer()
    assert (await last).granted


def test_every_rule_of_every_procedure_has_an_action() -> None:
    rules = {
        rule
        for program in programs.BY_NUMBER.values()
        for procedure in program.procedures.values()
        for rule in rules_of((*procedure.acl, *procedure.aclfilter))
    }
    assert len(rules) > 100
    actions = {KINDS[rule.kind].action(rule.permission) for rule in rules}
    assert "org.libvirt.api.storage-vol.data-write" in actions


@pytest.mark.parametrize(
    ("usage_type", "attribute"),
    [
        (SecretUsageType.NONE, None),
        (SecretUsageType.VOLUME, "secret_usage_volume"),
        (SecretUsageType.CEPH, "secret_usage_ceph"),
        (SecretUsageType.ISCSI, "secret_usage_target"),
        (SecretUsageType.TLS, "secret_usage_name"),
        (SecretUsageType.VTPM, "secret_usage_name"),
        (99, None),
    ],
)
def test_only_the_usage_of_a_secrets_type_is_told(usage_type: int, attribute: str | None) -> None:
    expected = {"secret_uuid": UUID} if attribute is None else {"secret_uuid": UUID, attribute: "/x"}
    assert dict(details.secret(UUID, usage_type, "/x")) == expected


def test_details_have_the_declared_names_and_nothing_unknown() -> None:
    made = {
        "domain": details.domain("a", UUID),
        "interface": details.interface("eth0", "00:16:3e:00:00:01"),
        "network": details.network("a", UUID),
        "network_port": details.network_port("a", UUID, UUID),
        "node_device": details.node_device("a"),
        "nwfilter": details.nwfilter("a", UUID),
        "nwfilter_binding": details.nwfilter_binding("vnet0", "eth0", "a"),
        "storage_pool": details.storage_pool("a", UUID),
        "storage_vol": details.storage_vol("a", UUID, "b", "/b"),
    }
    assert {kind: tuple(name for name, _ in said) for kind, said in made.items()} == {
        kind: KINDS[kind].attributes for kind in made
    }
    assert details.nwfilter_binding("vnet0", None, None) == (("nwfilter_binding_portdev", "vnet0"),)
    assert details.interface("eth0", None) == (("interface_name", "eth0"),)
