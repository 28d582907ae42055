# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sentences for people, and colour for terminals only."""

from __future__ import annotations

import io

import pytest

from virtproxy.cli.output import GREEN, Narrator, paint


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint("x", GREEN, Terminal()) == "\x1b[32mx\x1b[0m"
    assert paint("x", GREEN, io.StringIO()) == "x"


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", ""), ("TERM", "dumb")])
def test_a_terminal_that_wants_none(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    assert paint("x", GREEN, Terminal()) == "x"


def test_the_narrator() -> None:
    out = io.StringIO()
    tell = Narrator(stream=out)
    tell.heading("Title")
    tell.done("went well")
    tell.note("by the way")
    tell.quote("\n one\n\n two\n")
    assert out.getvalue() == "\nTitle\n  ok  went well\n  note  by the way\n       one\n       two\n"


def test_a_quiet_narrator() -> None:
    out = io.StringIO()
    Narrator(quiet=True, stream=out).done("unheard")
    assert out.getvalue() == ""
