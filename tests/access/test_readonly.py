# SPDX-License-Identifier: LGPL-2.1-or-later
"""The read-only gate over every declaration, and the taking apart of access rules."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from virtproxy.access.readonly import refused
from virtproxy.access.rules import rules_of
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.protocol.schema import Procedure

CALLS = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)
    for procedure in program.procedures.values()
    if not procedure.event
]


@pytest.mark.parametrize("procedure", [call for call in CALLS if call.readonly.kind == "denied"], ids=lambda p: p.name)
def test_a_denied_call_is_refused_whatever_its_arguments(procedure: Procedure[Any, Any]) -> None:
    error = refused(procedure, None)
    assert error is not None
    assert error.code == ErrorCode.OPERATION_DENIED
    assert error.str2 == f"read only access prevents {procedure.api}"


def test_an_allowed_call_passes() -> None:
    allowed = [call for call in CALLS if call.readonly.kind == "allowed"]
    assert len(allowed) > 150
    assert not [call for call in allowed if refused(call, None)]


@pytest.mark.parametrize(("flags", "denied"), [(0, False), (2, False), (1, True), (8, True), (9, True)])
def test_flags_decide_about_secure_xml(flags: int, denied: bool) -> None:
    error = refused(remote.DOMAIN_GET_XML_DESC, SimpleNamespace(flags=flags))
    assert (error is not None) is denied
    if error is not None:
        assert error.str2 == "virDomainGetXMLDesc with secure flag"
        assert error.domain == ErrorDomain.DOMAIN


@pytest.mark.parametrize(("source", "denied"), [(0, False), (1, True), (2, False)])
def test_an_argument_decides_about_asking_the_guest(source: int, denied: bool) -> None:
    assert (refused(remote.DOMAIN_INTERFACE_ADDRESSES, SimpleNamespace(source=source)) is not None) is denied


def test_every_declared_rule_can_be_taken_apart() -> None:
    for call in CALLS:
        for rule in (*rules_of(call.acl), *rules_of(call.aclfilter)):
            assert rule.kind
            assert rule.permission
    assert rules_of(("none",)) == ()


@pytest.mark.parametrize(
    ("text", "args", "applies"),
    [
        ("domain:read", SimpleNamespace(), True),
        ("domain:read_secure:VIR_DOMAIN_XML_SECURE", SimpleNamespace(flags=1), True),
        ("domain:read_secure:VIR_DOMAIN_XML_SECURE", SimpleNamespace(flags=2), False),
        ("domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE", SimpleNamespace(flags=0), True),
        ("domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE", SimpleNamespace(flags=1), False),
        ("domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE", SimpleNamespace(flags=2), False),
        ("domain:save:VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE", SimpleNamespace(flags=1), False),
        ("domain:save:VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE", SimpleNamespace(flags=3), True),
        ("domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", SimpleNamespace(source=1), True),
        ("domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", SimpleNamespace(source=0), False),
        ("domain:write::source:!VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", SimpleNamespace(source=1), False),
        ("domain:write::source:!VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT", SimpleNamespace(source=0), True),
    ],
)
def test_when_a_rule_applies(text: str, args: SimpleNamespace, applies: bool) -> None:
    (rule,) = rules_of((text,))
    assert rule.applies(args) is applies
