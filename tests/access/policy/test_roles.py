# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which procedures the ready-made roles open: a new procedure, or a permission more, must not go unnoticed."""

from __future__ import annotations

from typing import Any

from virtproxy.access.policy.roles import BUILT_IN, permission_set
from virtproxy.access.rules import rules_of
from virtproxy.access.stricter import STRICTER
from virtproxy.protocol import programs
from virtproxy.protocol.schema import Procedure

PROCEDURES = [
    procedure
    for program in programs.BY_NUMBER.values()
    for procedure in program.procedures.values()
    if not procedure.event and procedure.acl != ("none",)
]
# What an operator may beyond a viewer.
OPERATES = """
    DOMAIN_CREATE DOMAIN_CREATE_WITH_FILES DOMAIN_CREATE_WITH_FLAGS DOMAIN_DESTROY DOMAIN_DESTROY_FLAGS
    DOMAIN_INJECT_NMI DOMAIN_MANAGED_SAVE DOMAIN_MANAGED_SAVE_REMOVE DOMAIN_OPEN_CHANNEL DOMAIN_OPEN_CONSOLE
    DOMAIN_OPEN_GRAPHICS DOMAIN_OPEN_GRAPHICS_FD DOMAIN_PM_SUSPEND_FOR_DURATION DOMAIN_PM_WAKEUP DOMAIN_REBOOT
    DOMAIN_RESET DOMAIN_RESUME DOMAIN_SAVE DOMAIN_SAVE_FLAGS DOMAIN_SAVE_PARAMS DOMAIN_SCREENSHOT DOMAIN_SEND_KEY
    DOMAIN_SHUTDOWN DOMAIN_SHUTDOWN_FLAGS DOMAIN_SUSPEND NETWORK_CREATE NETWORK_DESTROY STORAGE_POOL_CREATE
    STORAGE_POOL_DESTROY STORAGE_POOL_REFRESH
"""
# What a viewer may though libvirt keeps it from read-only connections: how a guest's launch was measured.
MEASURED = {"DOMAIN_GET_LAUNCH_SECURITY_INFO", "NODE_GET_SEV_INFO"}


def opened(role: str) -> dict[str, Procedure[Any, Any]]:
    """The procedures that a role has every unconditional permission for."""
    found = {}
    for procedure in PROCEDURES:
        needed = [rule for rule in rules_of(procedure.acl) if not rule.flags and not rule.argument]
        needed += STRICTER.get(procedure, ())
        if all((rule.kind, rule.permission) in BUILT_IN[role].permissions for rule in needed):
            found[procedure.name] = procedure
    return found


def test_a_viewer_may_what_a_read_only_connection_may() -> None:
    denied = {name for name, procedure in opened("viewer").items() if procedure.readonly.kind == "denied"}
    assert denied == MEASURED


def test_what_an_operator_may_besides() -> None:
    assert set(opened("operator")) - set(opened("viewer")) == set(OPERATES.split())


def test_an_owner_may_change_nothing_of_the_host() -> None:
    kinds = {rule.kind for procedure in opened("owner").values() for rule in rules_of(procedure.acl)}
    assert not kinds & {"interface", "node_device", "nwfilter_binding", "network_port"}
    host = {name for name, procedure in opened("owner").items() if procedure.acl[0].startswith("connect:")}
    assert all(opened("owner")[name].readonly.kind != "denied" for name in host - MEASURED)


def test_an_admin_may_everything() -> None:
    assert len(opened("admin")) == len(PROCEDURES)


def test_a_role_of_patterns() -> None:
    start, stop = ("domain", "start"), ("domain", "stop")
    assert permission_set(["!domain:stop", "domain:start", "domain:stop"]) == {start}
    assert permission_set(["!domain:start"], frozenset({start, stop})) == {stop}
