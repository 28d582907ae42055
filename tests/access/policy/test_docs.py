# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/policy.md: its tables are those of the code, and every example in it is a policy without mistakes."""

from __future__ import annotations

import re

import pytest

from tests.support.policy_tables import PAGE, filled
from virtproxy.access.policy.document import compile_policy

EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_tables_are_those_of_the_code() -> None:
    # "python -m tests.support.policy_tables" writes them.
    assert PAGE.read_text() == filled(PAGE.read_text())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_each_example_is_right(text: str) -> None:
    assert compile_policy("docs/policy.md", text.encode()).path == "docs/policy.md"
