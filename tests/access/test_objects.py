# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every procedure that declares access rules is about something that the tables know."""

from __future__ import annotations

from typing import Any

import pytest

from virtproxy.access.objects import FAMILY_OF, Ref, about, ref_of, reference_in
from virtproxy.access.rules import rules_of
from virtproxy.protocol import programs, qemu, remote
from virtproxy.protocol.schema import Procedure

PROCEDURES = [
    procedure
    for program in programs.BY_NUMBER.values()
    for procedure in program.procedures.values()
    if not procedure.event and rules_of(procedure.acl)
]
UUID = bytes(range(16))


def kinds(procedure: Procedure[Any, Any]) -> set[str]:
    return {rule.kind for rule in rules_of(procedure.acl)} - {"connect"}


ABOUT_THINGS = [procedure for procedure in PROCEDURES if kinds(procedure)]


@pytest.mark.parametrize("procedure", ABOUT_THINGS, ids=lambda procedure: procedure.name)
def test_every_rule_about_a_thing_finds_it(procedure: Procedure[Any, Any]) -> None:
    what = about(procedure)
    (kind,) = kinds(procedure)
    assert kind in FAMILY_OF
    found = {field.kind for field in what.fields if not field.optional} | ({what.name[0]} if what.name else set())
    # Among the arguments, looked up, made, or saved in a file: one of them, and nothing else.
    ways = [kind in found and not what.makes and not what.lookup, what.lookup, what.makes, what.file]
    assert len([way for way in ways if way]) == 1, what
    if what.lookup or what.makes or what.file:
        assert what.kind == kind


def test_what_is_about_the_connection_only() -> None:
    named = {procedure.name for procedure in PROCEDURES if not kinds(procedure)}
    expected = ("CONNECT_", "NODE_", "INTERFACE_CHANGE_")
    assert {name for name in named if not name.startswith(expected)} == set()
    # Devices have procedures of their own kind; what is left of the host is the connection's.
    assert {name for name in named if name.startswith("NODE_DEVICE_")} == set()
    assert len(named) + len(ABOUT_THINGS) == len(PROCEDURES) > 380


def test_what_makes_a_thing_has_a_document_that_names_it() -> None:
    without = {procedure.name for procedure in ABOUT_THINGS if about(procedure).makes and not about(procedure).made}
    # The first form of migration tells a name only; a process that is taken over tells nothing.
    assert without == {"DOMAIN_MIGRATE_PREPARE", "DOMAIN_ATTACH"}


def test_a_reference_is_what_its_daemon_looks_it_up_by() -> None:
    net = remote.NonnullNetwork(name="n", uuid=UUID)
    dom = remote.NonnullDomain(name="d", uuid=UUID, id=3)
    assert ref_of(dom) == Ref("domain", "uuid", UUID, called="d")
    assert ref_of(remote.NonnullDomainSnapshot(name="s", dom=dom)) == ref_of(dom)
    port = ref_of(remote.NonnullNetworkPort(net=net, uuid=UUID))
    assert port == Ref("network_port", "uuid", UUID, within=Ref("network", "uuid", UUID, called="n"))
    volume = ref_of(remote.NonnullStorageVol(pool="p", name="v", key="/k"))
    assert volume == Ref("storage_vol", "name", "v", within=Ref("storage_pool", "name", "p"))


def test_a_reference_is_found_however_deep() -> None:
    dom = remote.NonnullDomain(name="d", uuid=UUID, id=3)
    inner = remote.DomainEventLifecycleMsg(dom=dom, event=0, detail=0)
    assert reference_in(remote.DomainEventCallbackLifecycleMsg(callback_id=1, msg=inner)) == dom
    assert reference_in(qemu.DomainMonitorEventMsg(1, dom, "E", 0, 0, None)) == dom
    assert reference_in(remote.ConnectEventConnectionClosedMsg(reason=1)) is None


EVENTS = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM)
    for procedure in program.procedures.values()
    if procedure.event
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_is_about_a_thing(event: Procedure[Any, Any]) -> None:
    def has_reference(struct: Any) -> bool:
        named = list(struct.__annotations__.values())
        known = {"NonnullDomain", "NonnullNetwork", "NonnullStoragePool", "NonnullNodeDevice", "NonnullSecret"}
        return bool(known & set(named)) or any(
            has_reference(getattr(remote, word)) for word in named if word.endswith("Msg") and hasattr(remote, word)
        )

    assert has_reference(event.args) is (event is not remote.CONNECT_EVENT_CONNECTION_CLOSED)
