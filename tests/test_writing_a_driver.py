# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/writing-a-driver.md to the letter: its files are written, its commands run, its outputs compared.

In a fresh environment, on a throw-away host: what a user does happens outside (pip may want a network), what root does
inside.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.lab import Lab

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/writing-a-driver.md"
EXAMPLE = ROOT / "examples/toy-driver"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Command(NamedTuple):
    """One command of the page: of a user's or of root's, and what it prints."""

    prompt: str
    words: str
    output: str


def files() -> dict[str, str]:
    """The files that the page has the reader write; pieces of one are put together."""
    found: dict[str, str] = {}
    for _, path, text in BLOCK.findall(PAGE.read_text()):
        if path:
            before = found.get(path)
            # Between two pieces there is as much air as ruff wants: two lines at the outermost level, one within.
            gap = "" if before is None else "\n" if text.startswith(" ") else "\n\n"
            found[path] = (before or "") + gap + text
    return found


def commands() -> Iterator[Command]:
    """The commands in the order of the page."""
    for language, _, text in BLOCK.findall(PAGE.read_text()):
        if language == "console":
            for prompt, words, output in re.findall(r"^([#$]) (.*)\n((?:(?![#$] ).*\n)*)", text, re.MULTILINE):
                yield Command(prompt, words, output)


def test_the_page_shows_the_example() -> None:
    written = files()
    assert {Path(path).name for path in written} == {path.name for path in EXAMPLE.iterdir() if path.is_file()}
    for path, text in written.items():
        assert text == (EXAMPLE / Path(path).name).read_text(), path


def matches(printed: str, output: str) -> bool:
    """Whether a command printed what the page says: "..." stands for anything, blank lines at the end for nothing."""
    pattern = ".*".join(map(re.escape, output.rstrip("\n").split("...")))
    return re.fullmatch(pattern, printed.rstrip("\n"), re.DOTALL) is not None


@pytest.mark.root
@pytest.mark.conformance
@pytest.mark.programs("virsh", "virt-admin", "unshare")
@pytest.mark.timeout(120)
def test_the_page_to_the_letter(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    leave = shutil.ignore_patterns("__pycache__", "dropin.cache", "*.egg-info")
    for name in ("virtproxy", "twisted"):
        shutil.copytree(ROOT / name, tmp_path / "virtproxy" / name, ignore=leave)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "virtproxy")
    for path, text in files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    with Lab() as lab:
        for command in commands():
            # The shell of the page goes on with the environment that its second command activates.
            active = ". toy/bin/activate && " if (tmp_path / "toy").exists() else ""
            shell = ["sh", "-c", f"cd {tmp_path} && {active}{command.words}"]
            done = subprocess.run(
                shell if command.prompt == "$" else lab.inside(shell),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                env={**kept, "LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            )
            # What pip says of its configuration here is not the page's matter.
            printed = re.sub(r"^WARNING: Location .*\n", "", done.stdout, flags=re.MULTILINE)
            assert matches(printed, command.output), f"{command.words}\n{printed}"
