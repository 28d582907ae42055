# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pieces of a line as JSON text: strings, times, who is calling.

The stage builds a line from pieces that it keeps, because a dictionary and an encoder for each call would cost more
than all the rest. Everything here returns ASCII.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted

from virtproxy.identity import Identity

__all__ = ["digits_of", "members_of", "quoted", "short", "stamp", "subject", "without_password"]

# A caller chooses names: a line must not grow with them.
TEXT_MAX = 1024
_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")

_second = -1
_prefix = ""


def stamp(seconds: float) -> str:
    """The time as text: UTC, RFC 3339 with microseconds."""
    global _second, _prefix
    whole = int(seconds)
    if whole != _second:
        _prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = whole
    return f"{_prefix}.{int((seconds - whole) * 1e6):06d}Z"


def short(text: str) -> str:
    """A JSON string of `text`, cut where it is longer than anybody needs."""
    return quoted(text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}... ({len(text)} characters)")


def without_password(text: str) -> str:
    """`text` without the password of any URI in it."""
    return _PASSWORD.sub(r"\1:***@", text) if "://" in text else text


def members_of(pairs: Iterable[tuple[str, object]]) -> str:
    """The members of a JSON object, without braces, of the pairs whose value is not None."""
    return ",".join(f'"{name}":{_value(value)}' for name, value in pairs if value is not None)


def _value(value: object) -> str:
    if isinstance(value, str):
        return short(value)
    return json.dumps(value)


def digits_of(uuid: bytes) -> str:
    """A UUID's sixteen bytes in the usual text form."""
    text = uuid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def subject(identity: Identity) -> str:
    """Who calls and from where, as members: the same words that a policy uses."""
    dname = identity.x509_dname
    who = members_of(
        (
            ("user", identity.user_name),
            ("uid", identity.uid),
            ("group", identity.group_name),
            ("gid", identity.gid),
            ("pid", identity.pid),
            ("sasl", identity.sasl_user),
            ("mechanism", identity.sasl_mechanism),
            ("realm", realm_of(identity.principal or identity.sasl_user)),
            ("x509", dname),
            ("san", list(identity.x509_sans) or None),
            ("selinux", identity.selinux_context),
        )
    )
    where = members_of(
        (
            ("transport", identity.transport),
            ("address", identity.address or None),
            ("ssf", identity.ssf or None),
            ("readonly_socket", True if identity.readonly_socket else None),
        )
    )
    return f'"subject":{{{who}}},{where}'


def realm_of(sasl_user: str | None) -> str | None:
    """The realm of a SASL name or Kerberos principal; None where it has none."""
    return sasl_user.rpartition("@")[2] if sasl_user is not None and "@" in sasl_user else None
