# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tool's frame: help, version, and how errors end."""

from __future__ import annotations

import argparse

import pytest

from virtproxy.cli import demo
from virtproxy.cli.main import main
from virtproxy.cli.output import CommandError


def ending(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("--help") == 0
    said = capsys.readouterr().out
    assert "virtproxy demo --once" in said
    assert "virtproxy pki" in said


@pytest.mark.parametrize("subcommand", ["demo", "pki"])
def test_help_of_a_subcommand(subcommand: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(subcommand, "--help") == 0
    assert "examples:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("--version") == 0
    assert capsys.readouterr().out.startswith("virtproxy ")


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["demo", "--no-such-option"]])
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(*arguments) == 2
    assert "usage: virtproxy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CommandError("no luck: try again"), 1, "virtproxy demo: no luck: try again\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_a_subcommand_ends(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: argparse.Namespace) -> int:
        raise error

    monkeypatch.setattr(demo, "run", fail)
    assert main(["demo"]) == status
    assert capsys.readouterr().err == said
