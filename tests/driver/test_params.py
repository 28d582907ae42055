# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters: what a call may set, what a reply tells, and libvirt's errors."""

from __future__ import annotations

from typing import Any

import pytest

from virtproxy.driver import ErrorCode, Params, Type, VirtError, param, remote, values_of

TUNABLES = Params(
    {"vcpu.quota": Type.LLONG}, many=["disk"], weight=Type.UINT, device=Type.STRING, on=Type.BOOLEAN, disk=Type.STRING
)


def test_parameters_become_values_by_name() -> None:
    given = [param("weight", 5, Type.UINT), param("on", True), param("disk", "a"), param("disk", "b")]
    assert TUNABLES.parse(given) == {"weight": 5, "on": True, "disk": ["a", "b"]}
    assert TUNABLES.parse([]) == {}


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ([param("what", 1)], ErrorCode.ARGUMENT_UNSUPPORTED, "argument unsupported: parameter 'what' not supported"),
        (
            [param("weight", "x")],
            ErrorCode.INVALID_ARG,
            "invalid argument: invalid type 'string' for parameter 'weight', expected 'uint'",
        ),
        (
            [param("weight", 1, Type.UINT), param("weight", 2, Type.UINT)],
            ErrorCode.INVALID_ARG,
            "invalid argument: parameter 'weight' occurs multiple times",
        ),
    ],
)
def test_what_the_table_does_not_allow_is_an_error(given: list[remote.TypedParam], code: int, text: str) -> None:
    with pytest.raises(VirtError) as caught:
        TUNABLES.parse(given)
    assert caught.value.code == code
    assert caught.value.message == text


def test_a_reply_has_the_types_of_the_table_and_strings_for_who_reads_them() -> None:
    values = {"weight": 1, "vcpu.quota": -1, "device": "d", "disk": ["a", "b"]}
    full = TUNABLES.format(values)
    assert [(one.field, one.value.type, one.value.value) for one in full] == [
        ("weight", Type.UINT, 1),
        ("vcpu.quota", Type.LLONG, -1),
        ("device", Type.STRING, "d"),
        ("disk", Type.STRING, "a"),
        ("disk", Type.STRING, "b"),
    ]
    assert [one.field for one in TUNABLES.format(values, flags=0)] == ["weight", "vcpu.quota"]
    assert values_of(full[:2]) == {"weight": 1, "vcpu.quota": -1}
    with pytest.raises(KeyError):
        TUNABLES.format({"unknown": 1})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, Type.BOOLEAN),
        ("x", Type.STRING),
        (0.5, Type.DOUBLE),
        (-1, Type.INT),
        (1 << 40, Type.LLONG),
        (1 << 63, Type.ULLONG),
    ],
)
def test_a_type_is_suggested_by_the_value(value: Any, kind: Type) -> None:
    assert param("f", value).value.type == kind


@pytest.mark.parametrize(("value", "kind"), [(-1, Type.UINT), (1 << 31, Type.INT), (1 << 64, None)])
def test_a_number_that_does_not_fit_is_refused(value: int, kind: Type | None) -> None:
    with pytest.raises(ValueError, match="is "):
        param("f", value, kind)
