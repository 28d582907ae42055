# SPDX-License-Identifier: LGPL-2.1-or-later
"""The access rules of a procedure, sorted by who asks about them: worked out once and kept.

`Call` reads them for every call; the way of a call is short because of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from virtproxy.access.rules import Rule, rules_of
from virtproxy.protocol.schema import Procedure


@dataclass(frozen=True, slots=True)
class Checks:
    """`connection`: about the connection itself; `subject`: about the object; `sight`: about each object of a list.

    `filters`: the method must ask which objects the caller may see.
    """

    connection: tuple[Rule, ...]
    subject: tuple[Rule, ...]
    sight: tuple[Rule, ...]
    filters: bool


@cache
def checks_of(procedure: Procedure[Any, Any]) -> Checks:
    """The rules of `procedure`."""
    rules = rules_of(procedure.acl)
    return Checks(
        tuple(rule for rule in rules if rule.kind == "connect"),
        tuple(rule for rule in rules if rule.kind != "connect"),
        rules_of(procedure.aclfilter),
        bool(procedure.aclfilter),
    )
