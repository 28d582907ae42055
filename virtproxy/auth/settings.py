# SPDX-License-Identifier: LGPL-2.1-or-later
"""What auth_unix_rw, auth_unix_ro, auth_tcp and auth_tls may say in a daemon's configuration.

The daemon's configuration asks `check_auth_setting` before anything is opened, so that a daemon told to
ask its clients for something this version cannot ask for never serves them without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KNOWN = ("none", "sasl", "polkit")

# Without polkit libvirt's own default for UNIX sockets is "none" too, with sockets only their owner may
# open. TCP asks for SASL: it must never be open to everyone unless the administrator wrote so.
DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"auth_unix_rw": "none", "auth_unix_ro": "none", "auth_tcp": "sasl", "auth_tls": "none"}
)

_INSTEAD = {
    "auth_unix_rw": 'set auth_unix_rw = "none" and let unix_sock_group, unix_sock_rw_perms and unix_sock_dir say '
    "who may connect",
    "auth_unix_ro": 'set auth_unix_ro = "none" and let unix_sock_ro_perms and unix_sock_dir say who may connect',
    "auth_tcp": 'set auth_tcp = "sasl", or auth_tcp = "none" where everyone who reaches the port may do everything',
    "auth_tls": 'set auth_tls = "none": the client\'s certificate then says who it is',
}


class AuthSettingError(ValueError):
    """An authentication that cannot be; the message says which key, why, and what to write instead."""


def check_auth_setting(key: str, value: str) -> None:
    """Refuse, with AuthSettingError, a `value` of `key` (one of DEFAULTS) that cannot be."""
    if value not in KNOWN:
        reason = f'{key} = "{value}" is unknown: expected one of "none", "sasl", "polkit"'
    elif value == "polkit" and not key.startswith("auth_unix_"):
        reason = f'{key} = "polkit" cannot be: polkit knows this host\'s own processes, which come by UNIX sockets'
    else:
        return
    raise AuthSettingError(f"{reason}; {_INSTEAD[key]}")
