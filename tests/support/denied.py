# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every call that is denied to a read-only client, and its harmless sisters, made from the declarations.

The tests of the read-only gate send them, in this process and to real daemons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.values import least
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.schema import Procedure

Call = tuple[Procedure[Any, Any], Any]
CALLS = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)
    for procedure in program.procedures.values()
    if not procedure.event
]
# What libvirt looks at even before it looks whether the connection is read-only.
_LEVEL = remote.TypedParam(field="sev-secret", value=remote.TypedParamValue(type=7, value="x"))
_GIVEN: dict[Procedure[Any, Any], dict[str, Any]] = {
    remote.CONNECT_BASELINE_HYPERVISOR_CPU: {"xml_cpus": ["<cpu/>"]},
    remote.DOMAIN_RENAME: {"new_name": "other"},
    remote.DOMAIN_SEND_PROCESS_SIGNAL: {"pid_value": 1},
    remote.DOMAIN_SET_LAUNCH_SECURITY_STATE: {"params": [_LEVEL]},
    qemu.DOMAIN_ATTACH: {"pid_value": 1},
}
DENIED = [procedure for procedure in CALLS if procedure.readonly.kind == "denied"]
CONDITIONAL = [procedure for procedure in CALLS if procedure.readonly.kind in ("flags", "field")]


def arguments(procedure: Procedure[Any, Any], **fields: Any) -> Any:
    """The least arguments of a procedure, with these fields instead."""
    return None if procedure.args is None else least(procedure.args, **_GIVEN.get(procedure, {}), **fields)


def denied_calls() -> Iterator[Call]:
    """Each denied procedure, and each conditional one with every single flag or value that makes it denied."""
    yield from ((procedure, arguments(procedure)) for procedure in DENIED)
    for procedure in CONDITIONAL:
        rule = procedure.readonly
        if rule.kind == "field":
            yield procedure, arguments(procedure, **{rule.field: rule.value})
        bits = [1 << bit for bit in range(32) if rule.mask & 1 << bit]
        # Each alone, all of them, and with one beside them that is none of them.
        for flags in (*bits, rule.mask, rule.mask | 2) if bits else ():
            yield procedure, arguments(procedure, flags=flags)


def harmless_calls() -> Iterator[Call]:
    """The conditional procedures without what makes them denied."""
    for procedure in CONDITIONAL:
        rule = procedure.readonly
        yield procedure, arguments(procedure)
        other = {rule.field: rule.value + 1} if rule.kind == "field" else {"flags": 0xFFFFFFFF & ~rule.mask}
        yield procedure, arguments(procedure, **other)
