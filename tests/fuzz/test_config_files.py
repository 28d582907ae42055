# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of ``python -m tests.fuzz.config_files``, and proof that it would notice."""

from __future__ import annotations

import pytest

from tests.fuzz import config_files
from tests.fuzz.campaign import Finding
from virtproxy.daemon import config

FILES = 5000


def test_hostile_files_are_read_or_refused() -> None:
    counts = config_files.run(20260229, FILES)
    assert sum(counts.values()) == FILES
    assert min(counts.values()) > FILES / 10


def test_the_same_seed_writes_the_same_files() -> None:
    one, other = (config_files.Writer("7/3") for _ in range(2))
    assert [one.text() for _ in range(50)] == [other.text() for _ in range(50)]


def test_a_reader_that_breaks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str, path: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(config, "parse", broken)
    with pytest.raises(Finding, match="--seed 3 --only 0"):
        config_files.run(3, 10)


def test_a_value_out_of_range_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("virtproxy.daemon.settings._checked", lambda key, entry, path: -7)
    with pytest.raises(Finding):
        config_files.run(3, 200)
