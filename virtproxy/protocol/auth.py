# SPDX-License-Identifier: LGPL-2.1-or-later
"""Authentication: the five procedures a client may call before it is known.

Part of the remote program: ``virtproxy.protocol.remote`` gathers it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from virtproxy.protocol.common import PROGRAM
from virtproxy.protocol.net import NonnullString
from virtproxy.protocol.schema import ALLOWED, Family
from virtproxy.wire.value import Struct
from virtproxy.wire.xdr import Chars, Int, Max

procedure = PROGRAM.procedure

AUTH_SASL_DATA_MAX = 65536
AUTH_TYPE_LIST_MAX = 20


class AuthType(IntEnum):
    """How a client may prove who it is."""

    NONE = 0
    SASL = 1
    POLKIT = 2


class AuthListRet(Struct):
    types: Annotated[list[AuthType], Max(AUTH_TYPE_LIST_MAX)]


AUTH_LIST = procedure(
    66, "AUTH_LIST", None, AuthListRet,
    family=Family.DAEMON, edge="auth", readonly=ALLOWED, acl=("none",), high_priority=True, needs_auth=False,
)


class AuthSaslInitRet(Struct):
    mechlist: NonnullString


AUTH_SASL_INIT = procedure(
    67, "AUTH_SASL_INIT", None, AuthSaslInitRet,
    family=Family.DAEMON, edge="auth", readonly=ALLOWED, acl=("none",), high_priority=True, needs_auth=False,
)


class AuthSaslStartArgs(Struct):
    mech: NonnullString
    nil: Int
    data: Annotated[bytes, Chars(Max(AUTH_SASL_DATA_MAX))]


class AuthSaslStartRet(Struct):
    complete: Int
    nil: Int
    data: Annotated[bytes, Chars(Max(AUTH_SASL_DATA_MAX))]


AUTH_SASL_START = procedure(
    68, "AUTH_SASL_START", AuthSaslStartArgs, AuthSaslStartRet,
    family=Family.DAEMON, edge="auth", readonly=ALLOWED, acl=("none",), high_priority=True, needs_auth=False,
)


class AuthSaslStepArgs(Struct):
    nil: Int
    data: Annotated[bytes, Chars(Max(AUTH_SASL_DATA_MAX))]


class AuthSaslStepRet(Struct):
    complete: Int
    nil: Int
    data: Annotated[bytes, Chars(Max(AUTH_SASL_DATA_MAX))]


AUTH_SASL_STEP = procedure(
    69, "AUTH_SASL_STEP", AuthSaslStepArgs, AuthSaslStepRet,
    family=Family.DAEMON, edge="auth", readonly=ALLOWED, acl=("none",), high_priority=True, needs_auth=False,
)


class AuthPolkitRet(Struct):
    complete: Int


AUTH_POLKIT = procedure(
    70, "AUTH_POLKIT", None, AuthPolkitRet,
    family=Family.DAEMON, edge="auth", readonly=ALLOWED, acl=("none",), high_priority=True, needs_auth=False,
)
