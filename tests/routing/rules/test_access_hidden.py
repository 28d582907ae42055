# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two hosts that differ in hidden things alone cannot be told apart, whatever a client asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.routing.rules.deciders import SlowDecider, WrittenDecider
from tests.routing.rules.hosts import KIND_OF, Host, Wire, thing
from tests.support.values import values_of
from virtproxy.access.decision import Thing
from virtproxy.access.objects import about
from virtproxy.access.rules import rules_of
from virtproxy.identity import Identity
from virtproxy.protocol import lxc, qemu, remote
from virtproxy.protocol.schema import Family, Procedure
from virtproxy.routing.rules.access import AccessRule
from virtproxy.wire.codec import Struct

PROCEDURES = [
    procedure
    for program in (remote.PROGRAM, qemu.PROGRAM, lxc.PROGRAM)
    for procedure in program.procedures.values()
    if not procedure.event and rules_of(procedure.acl) and procedure.edge not in ("open", "close", "identity")
]
WORDS = ("hush", "open", "gone")
SUBJECT = Identity(uid=1000, user_name="ann", pid=1, process_start_time=1)


def rule(permission: str, subject: Thing) -> bool:
    """Nothing that is called hush, or is in something of that name, is granted."""
    return not any("hush" in str(word) for word in (subject.name, *(value for _, value in subject.details)))


class Pair:
    """The same client before a host with hidden things, and before one without."""

    def __init__(self, decider: Any) -> None:
        self.hosts = (Host("hush", "open"), Host("open"))
        self.wires = [Wire(host, (AccessRule(decider(rule), hides=True),), SUBJECT) for host in self.hosts]

    def sent(self, procedure: Procedure[Any, Any], args: Any) -> list[bytes]:
        """The bytes that each of the two clients gets."""
        return [wire.frame(procedure, args).raw for wire in self.wires]

    def close(self) -> None:
        """Both leave."""
        for wire in self.wires:
            wire.close()


@pytest.fixture(scope="module", name="pair")
def quick_pair() -> Iterator[Pair]:
    made = Pair(WrittenDecider)
    yield made
    made.close()


@pytest.fixture(scope="module")
def slow_pair() -> Iterator[Pair]:
    made = Pair(SlowDecider)
    yield made
    made.close()


def renamed(value: Any, word: str, procedure: Procedure[Any, Any]) -> Any:
    """Arguments whose references lead to the things called by `word`, and whose texts name them."""
    what = about(procedure)
    if type(value) in KIND_OF:
        return thing(word, KIND_OF[type(value)])
    if not isinstance(value, Struct):
        return [renamed(each, word, procedure) for each in value] if isinstance(value, list) else value
    given = {name: renamed(getattr(value, name), word, procedure) for name in type(value).__match_args__}
    if type(value) is procedure.args:
        kind = what.kind or (what.name[0] if what.name else "")
        given.update(said(thing(word, kind), given, bool(what.lookup)) if kind else {})
    return type(value)(**given)


def said(reference: Any, given: dict[str, Any], looks_up: bool) -> dict[str, Any]:
    """What arguments say of a thing in texts and numbers of their own."""
    name = next(
        getattr(reference, field) for field in ("name", "portdev", "usage_id", "uuid") if hasattr(reference, field)
    )
    known = {"name": name, "dname": name, "usage_id": name, "uuid": getattr(reference, "uuid", None)}
    if looks_up:
        known |= {"path": f"/{name}", "key": f"/{name}"}
        known |= {"id": getattr(reference, "id", None), "mac": getattr(reference, "mac", None)}
    return {field: value for field, value in known.items() if field in given and type(value) is type(given[field])}


def alike(pair: Pair, procedure: Procedure[Any, Any], args: Any) -> None:
    """Both clients get the same bytes, whichever thing the arguments are made to name."""
    for word in WORDS:
        first, second = pair.sent(procedure, renamed(args, word, procedure))
        assert first == second, (procedure, word)


def some(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def check_alike(pair: Pair, procedure: Procedure[Any, Any], values: st.SearchStrategy[Any]) -> None:
    """Try some arguments."""

    @given(values)
    @some(2)
    def check(args: Any) -> None:
        alike(pair, procedure, args)

    check()


@pytest.mark.parametrize("family", Family, ids=lambda family: family.value)
def test_hosts_that_differ_in_hidden_things_answer_alike(pair: Pair, family: Family) -> None:
    for procedure in PROCEDURES:
        if procedure.family is not family:
            continue
        if procedure.args is None:
            alike(pair, procedure, None)
        else:
            check_alike(pair, procedure, values_of(procedure.args))


CALLS = st.sampled_from([procedure for procedure in PROCEDURES if procedure.args]).flatmap(
    lambda procedure: st.tuples(st.just(procedure), values_of(procedure.args or pytest.fail("no arguments")))
)


@given(CALLS)
@some(150)
def test_so_they_do_where_the_decision_takes_time(slow_pair: Pair, call: tuple[Procedure[Any, Any], Any]) -> None:
    alike(slow_pair, *call)
