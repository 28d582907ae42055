# SPDX-License-Identifier: LGPL-2.1-or-later
"""Typed parameters of the admin program: made from what the daemon knows, and checked when an administrator sets them.

``admin_calls`` uses it. It must not know what a parameter does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from virtproxy import errors
from virtproxy.daemon.present import Present
from virtproxy.errors import VirtError
from virtproxy.protocol.common import TypedParam, TypedParameterType, TypedParamValue
from virtproxy.protocol.enums import params as names
from virtproxy.protocol.errors import ErrorCode


def numbers(values: Mapping[str, int]) -> list[TypedParam]:
    """Return unsigned parameters."""
    return [_param(name, TypedParameterType.UINT, value) for name, value in values.items()]


def given(params: Iterable[TypedParam], settable: Collection[str]) -> dict[str, int]:
    """Return the unsigned numbers that ``params`` set. Raises VirtError for what cannot be set, or not like that."""
    values: dict[str, int] = {}
    for param in sorted(params, key=lambda param: param.field):
        if param.field in values:
            raise errors.invalid_arg(f"parameter '{param.field}' occurs multiple times")
        if param.field not in settable:
            raise VirtError.of(ErrorCode.ARGUMENT_UNSUPPORTED, f"parameter '{param.field}' not supported")
        kind = TypedParameterType(param.value.type)
        if kind is not TypedParameterType.UINT:
            problem = f"invalid type '{kind.name.lower()}' for parameter '{param.field}', expected 'uint'"
            raise errors.invalid_arg(problem)
        values[param.field] = int(param.value.value)
    return values


def client_info(client: Present[Any]) -> list[TypedParam]:
    """Return what is known about a client, as CLIENT_GET_INFO tells it."""
    who = client.identity
    found: list[tuple[str, TypedParameterType, int | str | None]] = [
        (names.CLIENT_INFO_READONLY, TypedParameterType.BOOLEAN, int(client.readonly)),
        (names.CLIENT_INFO_SASL_USER_NAME, TypedParameterType.STRING, who.sasl_user),
    ]
    if client.transport == "unix":
        found += [
            (names.CLIENT_INFO_UNIX_USER_ID, TypedParameterType.INT, _signed(who.uid)),
            (names.CLIENT_INFO_UNIX_USER_NAME, TypedParameterType.STRING, who.user_name),
            (names.CLIENT_INFO_UNIX_GROUP_ID, TypedParameterType.INT, _signed(who.gid)),
            (names.CLIENT_INFO_UNIX_GROUP_NAME, TypedParameterType.STRING, who.group_name),
            (names.CLIENT_INFO_UNIX_PROCESS_ID, TypedParameterType.INT, who.pid),
        ]
    else:
        found += [
            (names.CLIENT_INFO_SOCKET_ADDR, TypedParameterType.STRING, client.address),
            (names.CLIENT_INFO_X509_DISTINGUISHED_NAME, TypedParameterType.STRING, who.x509_dname),
        ]
    found.append((names.CLIENT_INFO_SELINUX_CONTEXT, TypedParameterType.STRING, who.selinux_context))
    return [_param(name, kind, value) for name, kind, value in found if value is not None]


def _signed(number: int | None) -> int | None:
    """An id as the int that it travels as."""
    return number - (1 << 32) if number is not None and number > 0x7FFFFFFF else number


def _param(name: str, kind: TypedParameterType, value: int | str) -> TypedParam:
    return TypedParam(field=name, value=TypedParamValue(type=kind, value=value))
