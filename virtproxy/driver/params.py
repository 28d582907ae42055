# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters: what a call sets, checked against a table, and what a reply tells, made from plain values.

    TUNABLES = Params(weight=Type.UINT, device_weight=Type.STRING)
    wanted = TUNABLES.parse(args.params)        # {"weight": 500}
    ...Ret(params=TUNABLES.format({"weight": 500}, args.flags), nparams=len(TUNABLES))

Field names with a dot or dash are given as a dict. The errors are libvirt's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.remote import TypedParam, TypedParameterType, TypedParamValue

Type = TypedParameterType
Value = int | float | str | bool
# VIR_TYPED_PARAM_STRING_OKAY: the caller can read parameters that are strings.
STRING_OKAY = 1 << 2
_WORDS = {kind: kind.name.lower() for kind in Type}
# By the type's number: an enum's own hash is slow.
_WHOLE = {1: (-(1 << 31), 1 << 31), 2: (0, 1 << 32), 3: (-(1 << 63), 1 << 63), 4: (0, 1 << 64)}


class Params:
    """The parameters that one call knows: each field's name and type. `many`: those that may come more than once."""

    def __init__(self, fields: Mapping[str, Type] | None = None, *, many: Iterable[str] = (), **more: Type) -> None:
        self.fields = {**(fields or {}), **more}
        self._many = frozenset(many)

    def __len__(self) -> int:
        return len(self.fields)

    def parse(self, params: Iterable[TypedParam]) -> dict[str, Any]:
        """The values by field; a list for a field that may come more than once.

        VirtError ARGUMENT_UNSUPPORTED for an unknown field, INVALID_ARG for a wrong type or a second value.
        """
        values: dict[str, Any] = {}
        for param in sorted(params, key=lambda one: one.field):
            field = param.field
            value = self._checked(param)
            if field in self._many:
                values.setdefault(field, []).append(value)
            elif field in values:
                raise VirtError.of(ErrorCode.INVALID_ARG, f"parameter '{field}' occurs multiple times")
            else:
                values[field] = value
        return values

    def _checked(self, param: TypedParam) -> Value:
        expected = self.fields.get(param.field)
        if expected is None:
            raise VirtError.of(ErrorCode.ARGUMENT_UNSUPPORTED, f"parameter '{param.field}' not supported")
        given = Type(param.value.type)
        if given is not expected:
            words = f"invalid type '{_WORDS[given]}' for parameter '{param.field}', expected '{_WORDS[expected]}'"
            raise VirtError.of(ErrorCode.INVALID_ARG, words)
        value = param.value.value
        return bool(value) if expected is Type.BOOLEAN else value

    def format(self, values: Mapping[str, Any], flags: int = STRING_OKAY) -> list[TypedParam]:
        """The parameters of a reply, in the order of `values`; KeyError for a field that is not in the table.

        Strings are left out unless `flags` say that the caller reads them.
        """
        found: list[TypedParam] = []
        for field, value in values.items():
            kind = self.fields[field]
            if kind is not Type.STRING or flags & STRING_OKAY:
                found.extend(param(field, each, kind) for each in (value if field in self._many else (value,)))
        return found


def param(field: str, value: Value, kind: Type | None = None) -> TypedParam:
    """One parameter; without `kind`, as the value suggests: bool, str, float, else INT, LLONG or ULLONG by size.

    ValueError if the number does not fit the type.
    """
    # A plain number first, as nearly all statistics are.
    if kind is None and type(value) is int and -0x80000000 <= value < 0x80000000:
        return TypedParam(field, TypedParamValue(1, value))
    if kind is None:
        kind = _suggested(value)
    bounds = _WHOLE.get(kind.value)
    if bounds is not None and not bounds[0] <= value < bounds[1]:  # type: ignore[operator]
        raise ValueError(f"{field}: {value} is no {_WORDS[kind]}")
    if kind is Type.BOOLEAN:
        value = int(bool(value))
    return TypedParam(field, TypedParamValue(kind.value, value))


def _suggested(value: Value) -> Type:
    if isinstance(value, bool):
        return Type.BOOLEAN
    if isinstance(value, str):
        return Type.STRING
    if isinstance(value, float):
        return Type.DOUBLE
    for kind in (Type.INT, Type.LLONG, Type.ULLONG):
        low, high = _WHOLE[kind.value]
        if low <= value < high:
            return kind
    raise ValueError(f"{value} is more than a parameter can hold")


def values_of(params: Iterable[TypedParam]) -> dict[str, Value]:
    """The plain values by field, of a reply or a call whose fields were checked."""
    return {one.field: one.value.value for one in params}


__all__ = ["STRING_OKAY", "Params", "Type", "param", "values_of"]
