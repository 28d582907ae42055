# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds for any policy: default deny, denies only take away, order does not count, the tables do not err."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.policy.examples import ALICE, BOB, CAROL, CONNECTION, DB, NOBODY, ROOT, VOLUME, WEB, decider, owned
from virtproxy.access.decision import Thing
from virtproxy.access.policy.decider import PolicyDecider
from virtproxy.access.policy.permissions import PERMISSIONS
from virtproxy.access.policy.roles import BUILT_IN

CALLERS = (ALICE, BOB, CAROL, ROOT, NOBODY)
SUBJECTS = ("everyone", "user:alice", "user:bob", "group:staff", "x509:*", "uid:0", "address:198.51.100.0/24")
ON = (
    '"domain"', '"domain:web*"', '"domain:web1"', '"connect"', "{ owned = true }", "{ owned = false }",
    '{ pool = "guests" }', '{ uri = "qemu:///*" }', '{ kind = "domain", driver = "QEMU", owned = true }',
    '{ uuid = "8c1c5d64-5a3e-4d5c-9d9b-1d3c1f7c2b11" }',
)  # fmt: skip
PATTERNS = ("domain:start", "domain:*", "*:getattr", "*:*", "storage_vol:data_read", "connect:write", "connect:getattr")
THINGS = (
    CONNECTION, WEB, DB, VOLUME, owned(WEB, "unix:alice"), owned(DB, "unix:bob"), owned(VOLUME, "unix:alice"),
    Thing("domain", "LXC", "lxc:///system"), Thing("network", "network", "network:///system", "default"),
)  # fmt: skip


def some(values: tuple[str, ...], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=2, unique=True)


def quoted(values: list[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


@st.composite
def rules(draw: st.DrawFn, section: str) -> str:
    lines = [f"[[{section}]]", f"to = {quoted(draw(some(SUBJECTS)))}"]
    if section == "grant" and draw(st.booleans()):
        lines.append(f"roles = {quoted(draw(some(tuple(BUILT_IN))))}")
    else:
        lines.append(f"permissions = {quoted(draw(some(PATTERNS)))}")
    if draw(st.booleans()):
        lines.append(f"except = {quoted(draw(some(SUBJECTS)))}")
    if draw(st.booleans()):
        lines.append(f"on = [{', '.join(draw(some(ON)))}]")
    return "\n".join(lines) + "\n"


GRANTS = st.lists(rules("grant"), max_size=5)
DENIES = st.lists(rules("deny"), max_size=3)
ASKED = [(thing, permission) for thing in THINGS for permission in PERMISSIONS[thing.kind]]


def granted(policy: PolicyDecider) -> set[tuple[int, Thing, str]]:
    """Everything that anybody may do to anything."""
    found = set()
    for number, caller in enumerate(CALLERS):
        for thing, permission in ASKED:
            if policy.decide(caller, permission, thing).granted:
                found.add((number, thing, permission))
    return found


@settings(max_examples=60, deadline=None)
@given(GRANTS, DENIES, rules("deny"), st.randoms(use_true_random=False))
def test_denies_only_take_away_and_order_does_not_count(
    grants: list[str], denies: list[str], one_more: str, random: Random
) -> None:
    before = granted(decider("".join(grants + denies)))
    assert granted(decider("".join([*grants, *denies, one_more]))) <= before
    mixed = grants + denies
    random.shuffle(mixed)
    assert granted(decider("".join(mixed))) == before
    assert before <= granted(decider("".join(grants)))


@settings(max_examples=60, deadline=None)
@given(GRANTS, rules("grant"))
def test_grants_only_add(grants: list[str], one_more: str) -> None:
    assert granted(decider("".join(grants))) <= granted(decider("".join([*grants, one_more])))


@settings(max_examples=40, deadline=None)
@given(DENIES)
def test_without_a_grant_nobody_may_anything(denies: list[str]) -> None:
    assert granted(decider("".join(denies))) == set()


@settings(max_examples=60, deadline=None)
@given(GRANTS, DENIES, st.booleans())
def test_what_is_said_beforehand_holds_for_every_thing(grants: list[str], denies: list[str], report: bool) -> None:
    policy = decider(('mode = "report"\n' if report else "") + "".join(grants + denies))
    for caller in CALLERS:
        for thing, permission in ASKED:
            decision = policy.decide(caller, permission, thing)
            always = policy.always(caller, thing.kind, permission)
            if always is None:
                continue
            assert (decision.granted, decision.pretended) == (always, False)


@settings(max_examples=40, deadline=None)
@given(GRANTS, DENIES)
def test_report_mode_refuses_nothing_and_pretends_exactly_what_would_be_refused(
    grants: list[str], denies: list[str]
) -> None:
    text = "".join(grants + denies)
    may = granted(decider(text))
    policy = decider('mode = "report"\n' + text)
    for number, caller in enumerate(CALLERS):
        for thing, permission in ASKED:
            decision = policy.decide(caller, permission, thing)
            assert decision.granted
            assert decision.pretended is ((number, thing, permission) not in may)
