# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a policy from its file: the one way from a path to rules in force."""

from __future__ import annotations

from virtproxy.access.policy.document import compile_policy
from virtproxy.access.policy.policy import Policy
from virtproxy.access.policy.source import PolicyError, read_file
from virtproxy.access.policy.who import GroupsOf

__all__ = ["PolicyError", "load_policy"]


def load_policy(path: str, *, groups_of: GroupsOf | None = None, uid: int | None = None) -> Policy:
    """The policy of the file. PolicyError if it cannot be read, could be changed by others, or is wrong.

    `uid`: whom it may belong to besides root; the calling process's user by default.
    """
    return compile_policy(path, read_file(path, uid), groups_of)
