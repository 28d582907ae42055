# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of permissions is the one that the procedures' declarations use."""

from __future__ import annotations

from virtproxy.access.policy.permissions import ALL, REACH, expand
from virtproxy.access.policy.roles import BUILT_IN
from virtproxy.access.rules import rules_of
from virtproxy.protocol import programs


def declared() -> set[tuple[str, str]]:
    """Every permission that any procedure asks for."""
    procedures = [procedure for program in programs.BY_NUMBER.values() for procedure in program.procedures.values()]
    rules = [rule for procedure in procedures for rule in rules_of(procedure.acl + procedure.aclfilter)]
    return {(rule.kind, rule.permission) for rule in rules}


def test_every_permission_that_is_asked_for_can_be_granted() -> None:
    assert declared() <= ALL


def test_no_permission_is_made_up() -> None:
    assert ALL - declared() == set()


def test_patterns() -> None:
    assert expand("domain:start") == {("domain", "start")}
    assert len(expand("domain:*")) == 31
    assert expand("*:*") == ALL
    assert expand("domain:st*") == {("domain", "start"), ("domain", "stop")}
    assert len(expand("connect:search_*")) == 8
    assert ("secret", "getattr") in expand("*:getattr")
    for nothing in ("domain", "domain:", ":start", "domain:x*", "network:migrate", "domain:start:x", ""):
        assert not expand(nothing)


def test_ready_made_roles_grow() -> None:
    viewer, operator, owner, admin = (BUILT_IN[name].permissions for name in ("viewer", "operator", "owner", "admin"))
    assert viewer < operator < admin == ALL
    assert not {name for kind, name in operator if name in ("write", "save", "delete", "read_secure", "create")}
    assert {pair for pair in owner if pair[0] == "connect"} == REACH
    assert not {kind for kind, _ in owner} & {"interface", "node_device", "nwfilter_binding", "network_port"}
