# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's permissions by kind of object, and the patterns that a policy writes for several of them.

A permission is written "domain:start"; the names are those of libvirt's access rules (`access.acl`), which the
declarations of the procedures use. Nothing here knows who has which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from virtproxy.access import acl
from virtproxy.access.policy.patterns import name_matcher

# Kind and permission: ("domain", "start").
Permission = tuple[str, str]

PERMISSIONS: Mapping[str, tuple[str, ...]] = {name: tuple(kind.permissions) for name, kind in acl.KINDS.items()}
KINDS = tuple(PERMISSIONS)
ALL = frozenset((kind, name) for kind, names in PERMISSIONS.items() for name in names)
SPELLED = tuple(f"{kind}:{name}" for kind, names in PERMISSIONS.items() for name in names)

# What it takes on the connection itself to get as far as an object; libvirt grants it to whoever may read at all.
REACH = frozenset(("connect", name) for name in PERMISSIONS["connect"] if re.match("getattr|read|search_", name))


@lru_cache(maxsize=1024)
def expand(pattern: str) -> frozenset[Permission]:
    """The permissions that "domain:start", "domain:*", "*:getattr" or "connect:search_*" names; empty if none."""
    kind, _, name = pattern.partition(":")
    if not kind or not name:
        return frozenset()
    has_kind, has_name = name_matcher(kind), name_matcher(name)
    return frozenset(pair for pair in ALL if has_kind(pair[0]) and has_name(pair[1]))


def spell(permission: Permission) -> str:
    """As a policy writes it."""
    return f"{permission[0]}:{permission[1]}"
