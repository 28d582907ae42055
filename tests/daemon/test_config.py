# SPDX-License-Identifier: LGPL-2.1-or-later
"""The grammar of the configuration files: what is read, what is refused and how the error says so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtproxy.daemon.config import SIZE_MAX, Value, parse, read
from virtproxy.daemon.failure import ConfigError

READ: list[tuple[str, list[tuple[str, Value, int]]]] = [
    ("", []),
    ("\n  \n# only a comment", []),
    ("a = 1", [("a", 1, 1)]),
    ("a=1\nb=2\n", [("a", 1, 1), ("b", 2, 2)]),
    ("\n\n  a\t=\t1  # why\n", [("a", 1, 3)]),
    ("a = -1; b = +2; # two\nc = 007", [("a", -1, 1), ("b", 2, 1), ("c", 7, 2)]),
    ("a = 1\r\nb = 2\r\n", [("a", 1, 1), ("b", 2, 2)]),
    ('a = "x"', [("a", "x", 1)]),
    ("a = 'say \"x\"'", [("a", 'say "x"', 1)]),
    ('a = ""', [("a", "", 1)]),
    ('a = "# no comment"', [("a", "# no comment", 1)]),
    (r'a = "C:\new\\"', [("a", r"C:\new\\", 1)]),
    ('a = """x\n"y"""\nb = 1', [("a", 'x\n"y', 1), ("b", 1, 3)]),
    ("a = []", [("a", [], 1)]),
    ("a = [ 1, 'x', ]", [("a", [1, "x"], 1)]),
    ('a = [\n  "x"\n ,\n\n "y"\n]\nb = 1', [("a", ["x", "y"], 1), ("b", 1, 7)]),
    ("a = [[1], []]", [("a", [[1], []], 1)]),
    ("a = 1\na = 2", [("a", 1, 1), ("a", 2, 2)]),
    ('a = "é"', [("a", "é", 1)]),
]

REFUSED: list[tuple[str, int, str]] = [
    ("a", 1, "expected '=' after 'a', found the end of the file"),
    ("\na\n= 1", 2, "expected '=' after 'a', found the end of the line"),
    ("a 1", 1, "expected '=' after 'a', found '1'"),
    ("a-b = 1", 1, "expected '=' after 'a', found '-'"),
    ("1a = 1", 1, "expected the name of a setting"),
    ("_a = 1", 1, "expected the name of a setting"),
    ("a = 1;;", 1, "expected the name of a setting"),
    ("; a = 1", 1, "expected the name of a setting"),
    ("\ufeffa = 1", 1, "expected the name of a setting"),
    ("a =", 1, "expected a value (a number, a string in quotes or a list in [ ]), found the end of the file"),
    ("a =\n1", 1, "found the end of the line"),
    ("a = yes", 1, "found 'y'"),
    ("a = \f1", 1, "expected a value"),
    ("a = 1 b = 2", 1, "expected the end of the line after the value of 'a', found 'b'"),
    ("a = 0x10", 1, "expected the end of the line after the value of 'a', found 'x'"),
    ("a = 1.5", 1, "expected the end of the line"),
    ('a = "x" "y"', 1, "expected the end of the line"),
    (r'a = "x\"y"', 1, "expected the end of the line"),
    ('a = """x""""', 1, "expected the end of the line"),
    ("a = '''x'''", 1, "expected the end of the line"),
    ("a = -", 1, "expected digits after '-'"),
    ("a = - 1", 1, "expected digits after '-'"),
    ("a = " + "9" * 31, 1, "expected a number of sensible size"),
    ('b = 1\na = "x\ny"', 2, 'expected " to end the string'),
    ("a = 'x", 1, "expected ' to end the string"),
    ('a = """x\n\ny"', 1, 'expected """ to end the text that starts here'),
    ("\n\na = [ 1,\n2 \n", 3, "expected ']' to end the list that starts here"),
    ("a = [", 1, "expected ']' to end the list that starts here"),
    ("a = [ 1,", 1, "expected ']' to end the list that starts here"),
    ("a = [ 1 2 ]", 1, "expected ',' or ']' in the list, found '2'"),
    ("a = [ 1,, 2 ]", 1, "expected a value"),
    ("a = [ , 2 ]", 1, "expected a value"),
    ("a = [ 1,\n# two\n2 ]", 2, "a list cannot hold comments"),
    ("a = [ 1 # one\n]", 1, "expected ',' or ']' in the list, found '#'"),
    ("a = " + "[" * 20 + "]" * 20, 1, "expected no more lists inside lists"),
    ("a = 1\nb = \0", 2, "found a zero byte"),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_read(text: str, expected: list[tuple[str, Value, int]]) -> None:
    assert [(entry.key, entry.value, entry.line) for entry in parse(text, "f")] == expected


@pytest.mark.parametrize(("text", "line", "problem"), REFUSED)
def test_refused(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text, "/etc/x.conf")
    assert refused.value.message.startswith(f"/etc/x.conf:{line}: ")
    assert problem in refused.value.message


GRAMMAR = st.text(alphabet="a=1-\"'[],;# \n\r\\\0é", max_size=60)


@given(st.one_of(st.text(max_size=200), GRAMMAR))
def test_any_text_is_settings_or_an_error_with_a_line_of_it(text: str) -> None:
    try:
        settings = parse(text, "f")
    except ConfigError as error:
        assert error.line is not None
        assert 1 <= error.line <= text.count("\n") + 1
    else:
        assert all(entry.key and 1 <= entry.line <= text.count("\n") + 1 for entry in settings)


NAMES = st.from_regex(r"[a-z][a-z_0-9]{0,8}", fullmatch=True)
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\0'), max_size=12)
VALUES = st.recursive(st.one_of(st.integers(-(2**63), 2**63), STRINGS), lambda v: st.lists(v, max_size=3), max_leaves=4)


def written(value: Value) -> str:
    """The value as a file has it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=6))
def test_what_is_written_is_read(pairs: list[tuple[str, Value]]) -> None:
    text = "".join(f"{name} = {written(value)}\n" for name, value in pairs)
    assert [(entry.key, entry.value) for entry in parse(text, "f")] == pairs


@given(st.binary(max_size=80))
def test_any_file_is_settings_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.conf"
    path.write_bytes(data)
    try:
        read(str(path))
    except ConfigError as error:
        assert str(path) in error.message


def test_bytes_that_are_no_utf8_stay_what_they_are(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("c") / "latin.conf"
    path.write_bytes(b'a = "/tmp/\xe9"\n')
    assert read(str(path))[0].value == "/tmp/\udce9"


def test_a_file_that_cannot_be_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("c")
    with pytest.raises(ConfigError, match=f"^{directory}: cannot read the configuration file: Is a directory$"):
        read(str(directory))
    with pytest.raises(ConfigError, match="No such file or directory"):
        read(str(directory / "none"))


def test_a_file_that_is_no_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("c") / "big.conf"
    with open(path, "wb") as file:
        file.truncate(SIZE_MAX + 1)
    with pytest.raises(ConfigError, match="at most 10485760 bytes"):
        read(str(path))
