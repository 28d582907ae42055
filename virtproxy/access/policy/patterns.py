# SPDX-License-Identifier: LGPL-2.1-or-later
"""The patterns of a policy: of names, in which "*" is any text, and of what lies in directories, where it is not.

Whatever is matched is done in a time that grows with the text's length alone: a star is tried once (atomic groups),
which finds the same as trying all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[str], object]
_STARS = re.compile(r"\*+")
_PART = "(?:/[^/]+)"


def is_exact(glob: str) -> bool:
    """Whether a pattern is a plain name."""
    return "*" not in glob and "?" not in glob


@lru_cache(maxsize=4096)
def name_matcher(glob: str) -> Matcher:
    """Matches whole names: "*" is any text, "?" any character, all else is itself."""
    return re.compile(_stars(_STARS.split(glob), "."), re.DOTALL).fullmatch


@lru_cache(maxsize=4096)
def word_matcher(glob: str) -> Matcher:
    """Matches values of claims that are no paths: "*" and "?" stop at a slash, "**" does not."""
    chunks = [_stars(part.split("*"), "[^/]") for part in re.split(r"\*{2,}", glob)]
    middle = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1])
    last = f".*{chunks[-1]}" if len(chunks) > 1 else ""
    pattern = re.compile(chunks[0] + middle + last, re.DOTALL)
    return lambda text: text == glob or (not is_crooked(text.replace("://", ":", 1)) and pattern.fullmatch(text))


@lru_cache(maxsize=4096)
def path_matcher(glob: str) -> Matcher:
    """Matches absolute paths: "*" and "?" stay within one part, "**" is any number of parts; at the end not none.

    A path that does not name its file straight (`is_crooked`) matches nothing.
    """
    if not glob.startswith("/"):
        return lambda text: False
    runs: list[list[str]] = [[]]
    for part in glob.split("/")[1:]:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append("/" + _stars(part.split("*"), "[^/]") + r"(?=/|\Z)")
    head, *rest = ["".join(run) for run in runs]
    middle = "".join(f"(?>{_PART}*?{run})" for run in rest[:-1])
    last = f"{_PART}+?{rest[-1]}" if rest and not rest[-1] else f"{_PART}*?{rest[-1]}" if rest else ""
    pattern = re.compile(head + middle + last, re.DOTALL)
    return lambda text: not is_crooked(text) and pattern.fullmatch(text)


def is_crooked(path: str) -> bool:
    """Whether a path holds "." or ".." or nothing between two slashes: nobody has found out yet what it names."""
    return "//" in path or any(part in (".", "..") for part in path.split("/"))


def path_problem(glob: str) -> str | None:
    """What is wrong with a pattern of paths; None if nothing is."""
    if not glob.startswith("/"):
        return "must begin with a slash"
    parts = glob.split("/")[1:]
    if "" in parts:
        return "must not end with a slash or hold two in a row; write /** for all that is below"
    if "." in parts or ".." in parts:
        return 'must not hold the parts "." and "..": they are resolved before a path is looked at'
    if any("**" in part and part != "**" for part in parts):
        return '"**" must stand alone between slashes'
    return None


def _stars(chunks: list[str], any_character: str) -> str:
    """A regular expression of fixed chunks with any text of such characters between them."""
    fixed = ["".join(any_character if char == "?" else re.escape(char) for char in chunk) for chunk in chunks]
    if len(fixed) == 1:
        return fixed[0]
    middle = "".join(f"(?>{any_character}*?{chunk})" for chunk in fixed[1:-1])
    return f"{fixed[0]}{middle}{any_character}*{fixed[-1]}"
