# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of the hostile policies, and proof that it would notice."""

from __future__ import annotations

import pytest

from tests.fuzz import policy
from tests.fuzz.campaign import Finding
from virtproxy.access.policy.decider import PolicyDecider

INPUTS = 3000


def test_policies_are_refused_in_words_or_sound() -> None:
    report = policy.run(20261125, INPUTS)
    taken = int(report.split()[2])
    assert 100 < taken < INPUTS - 100, report


def test_one_that_grants_what_it_must_not_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PolicyDecider, "always", lambda *_: True)
    with pytest.raises(Finding, match="--seed 3 --only"):
        policy.run(3, 200)


def test_one_that_breaks_the_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(policy, "compile_policy", broken)
    with pytest.raises(Finding, match="ZeroDivisionError"):
        policy.run(3, 10)
