# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of ``python -m tests.fuzz.documents``, and proof that it would notice."""

from __future__ import annotations

import pytest

from tests.fuzz import documents
from virtproxy.access.claims.reader import _rules

INPUTS = 4000


def test_hostile_documents_are_read_or_refused() -> None:
    became = documents.run(INPUTS, seed=20251125)
    assert became.total() == INPUTS
    assert min(became.values()) > INPUTS / 100, became
    assert became["document read"] > INPUTS / 20


def test_a_claim_that_is_missed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_rules(), ("disk", "source"), ())
    with pytest.raises(documents.Finding, match="--seed 3 --only"):
        documents.run(500, seed=3)


def test_a_reader_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, kind: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(documents, "read", broken)
    with pytest.raises(documents.Finding, match="ZeroDivisionError"):
        documents.run(50, seed=3)
