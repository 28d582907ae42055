# SPDX-License-Identifier: LGPL-2.1-or-later
"""An identity as the typed parameters of CONNECT_SET_IDENTITY, and back.

The relay sends them to a daemon; the edge reads them from a privileged caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.remote import TypedParam, TypedParamValue

_INT, _UINT, _LLONG, _ULLONG, _DOUBLE, _BOOLEAN, _STRING = range(1, 8)
# Parameter, wire type, and the field of Identity that it is.
_FIELDS: tuple[tuple[str, int, str | None], ...] = (
    ("user-name", _STRING, "user_name"),
    ("unix-user-id", _ULLONG, "uid"),
    ("group-name", _STRING, "group_name"),
    ("unix-group-id", _ULLONG, "gid"),
    ("process-id", _LLONG, "pid"),
    ("process-time", _ULLONG, "process_start_time"),
    ("sasl-user-name", _STRING, "sasl_user"),
    ("x509-distinguished-name", _STRING, "x509_dname"),
    ("selinux-context", _STRING, "selinux_context"),
    ("system.token", _STRING, "system_token"),
)
_TYPES = {_INT: "int", _UINT: "uint", _LLONG: "llong", _ULLONG: "ullong", _DOUBLE: "double"}
_TYPES |= {_BOOLEAN: "boolean", _STRING: "string"}
_BY_NAME = {name: (kind, field) for name, kind, field in _FIELDS}


def _nobody(_token: str) -> bool:
    return False


def identity_params(identity: Identity) -> list[TypedParam]:
    """What is known of `identity`, in the wire's order."""
    return [
        TypedParam(field=name, value=TypedParamValue(kind, getattr(identity, field)))
        for name, kind, field in _FIELDS
        if field is not None and getattr(identity, field) is not None
    ]


def identity_of(params: Sequence[TypedParam], like: Identity, proves: Callable[[str], bool] = _nobody) -> Identity:
    """The identity that `params` describe, reached as `like` was; VirtError for a bad parameter.

    `proves` knows the token of this host's daemons; another one counts for nothing.
    """
    known: dict[str, Any] = {field: None for _, _, field in _FIELDS if field is not None}
    # What else proved who the caller is says nothing of whom it speaks for.
    known |= {"sasl_mechanism": None, "principal": None, "x509_sans": ()}
    for param in params:
        if param.field not in _BY_NAME:
            detail = f"parameter '{param.field}' not supported"
            raise VirtError.of(ErrorCode.ARGUMENT_UNSUPPORTED, detail)
        kind, field = _BY_NAME[param.field]
        if param.value.type != kind:
            raise errors.invalid_arg(
                f"invalid type '{_TYPES.get(param.value.type)}' for parameter '{param.field}',"
                f" expected '{_TYPES[kind]}'"
            )
        if field is not None:
            known[field] = param.value.value
    if known["system_token"] is not None and not proves(known["system_token"]):
        known["system_token"] = None
    return replace(like, **known)
