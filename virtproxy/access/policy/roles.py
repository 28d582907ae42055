# SPDX-License-Identifier: LGPL-2.1-or-later
"""Roles: named sets of permissions. The ready-made ones, and how a policy makes its own.

docs/policy.md prints the ready-made ones as `virtproxy policy roles` does. Who holds a role is a grant's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from virtproxy.access.policy.permissions import ALL, REACH, Permission, expand


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions.

    `owned`: it counts on things that the caller owns alone, whatever a grant says. `documents`: where it is granted
    on everything, documents may lay claim to anything.
    """

    name: str
    permissions: frozenset[Permission]
    owned: bool = False
    documents: bool = False
    summary: str = field(default="", compare=False)


def permission_set(patterns: Iterable[str], start: frozenset[Permission] = frozenset()) -> frozenset[Permission]:
    """What the patterns name, together with `start`, less what those with a leading "!" name; order does not count."""
    listed = list(patterns)
    named = start.union(*(expand(pattern) for pattern in listed if not pattern.startswith("!")))
    return named.difference(*(expand(pattern[1:]) for pattern in listed if pattern.startswith("!")))


_VIEWER = permission_set(
    ["*:getattr", "*:read", "network:search_ports", "storage_pool:search_storage_vols"], frozenset(REACH)
)
_OPERATOR = permission_set(
    [
        *("domain:start", "domain:stop", "domain:reset", "domain:suspend", "domain:hibernate", "domain:init_control"),
        *("domain:pm_control", "domain:inject_nmi", "domain:send_input", "domain:screenshot"),
        *("domain:open_graphics", "domain:open_device"),
        *("network:start", "network:stop", "storage_pool:start", "storage_pool:stop", "storage_pool:refresh"),
    ],
    _VIEWER,
)
# The host's interfaces and devices belong to nobody but the host; ports and bindings are made by the daemons.
_OWNER = permission_set(
    ["domain:*", "storage_vol:*", "storage_pool:*", "network:*", "secret:*", "nwfilter:*"], frozenset(REACH)
)

BUILT_IN: Mapping[str, Role] = {
    role.name: role
    for role in (
        Role("viewer", _VIEWER, summary="sees everything that is no secret, changes nothing"),
        Role("operator", _OPERATOR, summary="a viewer who may start, stop and use what is defined, and define nothing"),
        Role("owner", _OWNER, owned=True, summary="everything on what one has defined oneself"),
        Role("admin", ALL, documents=True, summary="everything, secrets and any document included"),
    )
}
