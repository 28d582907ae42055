# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tool's frame: help, version, and how errors end."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from virtproxy.cli import demo
from virtproxy.cli.main import SUBCOMMANDS, main
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


def test_each_subcommand_has_its_module_and_is_named_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending("--help") == 0
    said = capsys.readouterr().out
    for subcommand, summary in SUBCOMMANDS.items():
        assert f"    {subcommand} " in said
        assert summary.split(",")[0][:30] in " ".join(said.split())
        with pytest.raises(SystemExit) as ended:
            main([subcommand, "--help"])
        assert ended.value.code == 0


@pytest.mark.parametrize("words", ["--version", "--help", "mode --help"])
def test_only_the_chosen_subcommand_is_imported(words: str) -> None:
    program = (
        "import sys; from virtproxy.cli import main\n"
        f"try: main.main({words.split()!r})\n"
        "except SystemExit: pass\n"
        "print(*(n for n in main.SUBCOMMANDS if f'virtproxy.cli.{n}' in sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.split() == [word for word in words.split() if not word.startswith("-")]
