# SPDX-License-Identifier: LGPL-2.1-or-later
"""Patterns: what they match, checked against a slow and simple reading of them, and that they never take long."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.access.policy.patterns import is_crooked, name_matcher, path_matcher, path_problem, word_matcher

LETTERS = st.text("ab*?", max_size=8)
TEXTS = st.text("ab\n", max_size=10)
PARTS = st.lists(st.one_of(st.just("**"), st.text("ab?", min_size=1, max_size=3), st.sampled_from(["*", "a*", "*b*"])),
                 min_size=1, max_size=5)  # fmt: skip
NAMES = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=6)


def simple(glob: str, any_one: str) -> str:
    """A pattern as the regular expression that comes to mind first."""
    return "".join(f"{any_one}*" if c == "*" else any_one if c == "?" else re.escape(c) for c in glob)


@given(LETTERS, TEXTS)
def test_names(glob: str, text: str) -> None:
    expected = re.fullmatch(simple(glob, "."), text, re.DOTALL) is not None
    assert (name_matcher(glob)(text) is not None) is expected


@given(PARTS, NAMES)
def test_paths(parts: list[str], names: list[str]) -> None:
    many = "(?:/[^/]+)"
    said = [f"{many}*" if part == "**" else f"/{simple(part, '[^/]')}" for part in parts]
    if parts[-1] == "**":
        said[-1] = f"{many}+"
    path = "/" + "/".join(names)
    assert bool(path_matcher("/" + "/".join(parts))(path)) is (re.fullmatch("".join(said), path) is not None)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/srv/**", "/srv/a/b", True),
        ("/srv/**", "/srv", False),
        ("/srv/**", "/srv/", False),
        ("/srv/**", "/srv2/a", False),
        ("/srv/**/x", "/srv/x", True),
        ("/srv/**/x", "/srv/a/b/x", True),
        ("/srv/*/x", "/srv/a/b/x", False),
        ("/srv/*", "/srv/..", False),
        ("/srv/**", "/srv/../etc/shadow", False),
        ("/srv/**", "/srv/./a", False),
        ("/srv/**", "/srv//a", False),
        ("/srv/*.img", "/srv/a.img\n", False),
        ("/srv/a", "/srv/a", True),
        ("srv/**", "srv/a", False),
        ("word:*", "", False),
        ("/s[ab]", "/sa", False),
    ],
)
def test_paths_by_example(glob: str, path: str, matches: bool) -> None:
    assert bool(path_matcher(glob)(path)) is matches


@pytest.mark.parametrize(
    ("glob", "value", "matches"),
    [
        ("default", "default", True),
        ("*", "default", True),
        ("*", "rbd:pool/a", False),
        ("**", "rbd:pool/a", True),
        ("rbd:pool/*", "rbd:pool/a", True),
        ("rbd:pool/*", "rbd:pool/../other/a", False),
        ("rbd:pool/**", "rbd:pool/../other/a", False),
        ("https:h:443/pub/**", "https:h:443/pub/a/b.iso", True),
        ("https:h:443/pub/**", "https:h:443/pub/../x", False),
        ("tcp://192.0.2.*", "tcp://192.0.2.7:49152", True),
        ("qemu+tls://*/system", "qemu+tls://other/system", True),
        ("qemu+tls://*/system", "qemu+tls://a/b/system", False),
        ("unix:///run/**", "unix:///run/a/b", True),
        ("unix:///run/**", "unix:///run//b", False),
        ("a**b**c", "axx/xbyyc", True),
    ],
)
def test_words(glob: str, value: str, matches: bool) -> None:
    assert bool(word_matcher(glob)(value)) is matches


@pytest.mark.parametrize("glob", ["*a" * 30, "**a" * 30, "/**/*a*a*a" * 10, "/**/a" * 20 + "/b"])
def test_no_pattern_takes_long(glob: str) -> None:
    began = time.perf_counter()
    for matcher in (name_matcher(glob), word_matcher(glob), path_matcher("/" + glob.lstrip("/"))):
        matcher("a" * 4000)
        matcher("/a" * 2000 + "/c")
    assert time.perf_counter() - began < 5


@given(st.text("/a.", max_size=8))
def test_what_is_crooked_is_told_when_a_pattern_is_written_too(path: str) -> None:
    if path.startswith("/") and is_crooked(path):
        assert path_problem(path) is not None
