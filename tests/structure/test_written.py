# SPDX-License-Identifier: LGPL-2.1-or-later
"""What lies in conf/ is what the code declares: change the template or the code, not the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.daemon.written import written

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", written())
def test_files_are_up_to_date(name: str) -> None:
    how = "write it in virtproxy/daemon/templates or in the code, then run: python -m virtproxy.daemon.written"
    assert (ROOT / name).read_text() == written()[name], f"{name} is not what is declared: {how}"


def test_nothing_else_lies_beside_them() -> None:
    made = set(written())
    there = {*ROOT.glob("conf/systemd/*"), *ROOT.glob("conf/*.conf")}
    assert {str(path.relative_to(ROOT)) for path in there} <= made
