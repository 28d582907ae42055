# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a policy knows of a caller: its identity, its groups, and the name under which it owns things."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import monotonic

from virtproxy.identity import Identity

# Only these prove a Kerberos principal; "user@REALM" may as well be the name of a password's owner.
_KERBEROS = frozenset({"GSSAPI", "GSS-SPNEGO", "GS2-KRB5", "GS2-KRB5-PLUS"})
# How long a user's groups are remembered; a connection keeps those it began with.
GROUPS_SECONDS = 30.0
_USERS_MAX = 1024

GroupsOf = Callable[[Identity], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Who:
    """A caller as rules see it; None where it is not known."""

    user: str | None = None
    uid: int | None = None
    groups: frozenset[str] = frozenset()
    # A Kerberos user of the host's own realm has two names: with the realm, and without.
    sasl: tuple[str, ...] = ()
    realm: str | None = None
    mechanism: str | None = None
    x509: str | None = None
    sans: tuple[str, ...] = ()
    transport: str = "unix"
    ip: IPv4Address | IPv6Address | None = None
    readonly: bool = False
    owner: str | None = None


def who_is(identity: Identity, groups: frozenset[str]) -> Who:
    """A caller of this identity, which is in these UNIX groups."""
    return Who(
        user=identity.user_name,
        uid=identity.uid,
        groups=groups,
        sasl=tuple(name for name in (identity.sasl_user, identity.principal) if name is not None),
        realm=_realm(identity),
        mechanism=identity.sasl_mechanism,
        x509=identity.x509_dname,
        sans=identity.x509_sans,
        transport=identity.transport,
        ip=_ip(identity.address),
        readonly=identity.readonly_socket,
        owner=owner_key(identity),
    )


def owner_key(identity: Identity) -> str | None:
    """Under which name a caller owns what it defines; None for one who has none, and so owns nothing.

    What was proven last counts: the SASL name (the whole one, with Kerberos), else the certificate's, else the UNIX
    user.
    """
    if identity.sasl_user is not None:
        return f"sasl:{identity.principal or identity.sasl_user}"
    if identity.x509_dname is not None:
        return f"x509:{identity.x509_dname}"
    if identity.user_name is not None:
        return f"unix:{identity.user_name}"
    return None if identity.uid is None else f"uid:{identity.uid}"


def _realm(identity: Identity) -> str | None:
    # A user of the host's own realm has it in the principal alone.
    name = identity.principal or identity.sasl_user
    if identity.sasl_mechanism not in _KERBEROS or name is None:
        return None
    return name.rpartition("@")[2] if "@" in name else None


def _ip(address: str) -> IPv4Address | IPv6Address | None:
    """The address of "10.0.0.1:1234", "[::1]:1234" or without a port; an IPv4 one in IPv6's form is IPv4."""
    host = address[1:].partition("]")[0] if address.startswith("[") else address
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


class Groups:
    """The groups of users, as the user database has them; remembered for `GROUPS_SECONDS`."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def __call__(self, identity: Identity) -> frozenset[str]:
        """The names of the groups of the identity's UNIX user; empty if it has none."""
        if identity.user_name is None:
            return frozenset()
        now = self._clock()
        asked, groups = self._known.get(identity.user_name, (now - GROUPS_SECONDS, frozenset()))
        if now - asked >= GROUPS_SECONDS:
            groups = _groups_of(identity.user_name)
            if len(self._known) >= _USERS_MAX:
                self._known.clear()
            self._known[identity.user_name] = (now, groups)
        return groups


def _groups_of(user: str) -> frozenset[str]:
    try:
        numbers = os.getgrouplist(user, pwd.getpwnam(user).pw_gid)
    except (KeyError, OSError):
        return frozenset()
    names = set()
    for number in numbers:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)
