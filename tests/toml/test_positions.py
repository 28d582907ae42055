# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line of everything in a TOML text, whatever its form."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtproxy.toml.positions import Path, positions

TEXT = '''\
# [not.a.header]
top = 1 # [x]
"quoted \\"key\\"" = """
[[grant]]
a = "b" """
other.'dotted.key'."last" = [ # ]
  "one, ]",
  'two # "',
  [ 3, [ 4 ] ],
  { a = 5, b = { c = """6""" } },
]

[subjects . "a b"]
x = \'\'\'
[y]
\'\'\'
z = 1979-05-27T07:32:00Z
[[grant]]
to = 1
[grant.on]
k = {}
[[grant]]
to = 2
[[grant.on]]
[[grant.on]]
k = 1
'''
EXPECTED: dict[Path, int] = {
    ("top",): 2,
    ('quoted "key"',): 3,
    ("other", "dotted.key", "last"): 6,
    ("other", "dotted.key", "last", 0): 7,
    ("other", "dotted.key", "last", 1): 8,
    ("other", "dotted.key", "last", 2): 9,
    ("other", "dotted.key", "last", 2, 1, 0): 9,
    ("other", "dotted.key", "last", 3, "b", "c"): 10,
    ("subjects", "a b"): 13,
    ("subjects", "a b", "x"): 14,
    ("subjects", "a b", "z"): 17,
    ("grant", 0): 18,
    ("grant", 0, "to"): 19,
    ("grant", 0, "on", "k"): 21,
    ("grant", 1): 22,
    ("grant", 1, "to"): 23,
    ("grant", 1, "on", 0): 24,
    ("grant", 1, "on", 1, "k"): 26,
}


def paths(value: Any, here: Path = ()) -> set[Path]:
    """The path of everything in a tree."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {here}.union(*(paths(child, (*here, key)) for key, child in inside))


def test_every_form() -> None:
    found = positions(TEXT)
    assert {path: found.get(path) for path in EXPECTED} == EXPECTED
    assert paths(tomllib.loads(TEXT)) - {()} == set(found)


LINES = st.lists(
    st.sampled_from(
        [
            "a = 1", "a.b = 'x'", "b = [1, 2,\n 3]", "c = { d = 1, e = [] }", "[t]", "[[u]]", "[u.v]", "[[u.w]]", "",
            "#", 'd = """\n[[u]]"""', "e = '''\\'''", 'f = "\\\\"', "[t.'x y'.z]", "g = [[], [ {} , { h = 1 } ] # ]\n]",
            'i = """a\\\n  b"""""', '"" = 0', "''.'' = 0", "j = 0.5e+3", "k=\t-inf#",
        ]
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=300)
@given(LINES)
def test_nothing_is_missed_and_nothing_made_up(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = positions(text)
    assert set(found) == paths(tree) - {()}
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())


@pytest.mark.parametrize("text", ["", "\n\n", "# only this", "a = 1"])
def test_little(text: str) -> None:
    assert set(positions(text)) == paths(tomllib.loads(text)) - {()}
