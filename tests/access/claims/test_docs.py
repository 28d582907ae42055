# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/policy-documents.md has every key that there is."""

from __future__ import annotations

from pathlib import Path

from virtproxy.access.claims.kinds import KEYS

PAGE = Path(__file__).parents[3] / "docs" / "policy-documents.md"


def test_every_key_is_in_the_table() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    told = " ".join(row.split("|")[1] for row in rows)
    assert [key for key in KEYS if f"`{key}`" not in told] == []
