# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs in the documentation run, and print what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "client-library.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", DOCUMENT, re.DOTALL)
NAMES = ["connect", "errors", "events", "streams", "asyncio"]


def test_every_program_is_found() -> None:
    assert len(PROGRAMS) == len(re.findall("^```python$", DOCUMENT, re.MULTILINE)) == len(NAMES)


# The pretended host of virtproxyd has no screen yet.
OURS = [program for name, program in zip(NAMES, PROGRAMS, strict=True) if name != "streams"]


@pytest.mark.parametrize("program", OURS, ids=[name for name in NAMES if name != "streams"])
def test_it_runs_against_virtproxyd(program: tuple[str, str], virtproxyd: Path) -> None:
    runs(*program, virtproxyd)


@pytest.mark.root
@pytest.mark.parametrize("program", PROGRAMS, ids=NAMES)
def test_it_runs_against_libvirtd(program: tuple[str, str], libvirtd: Path) -> None:
    runs(*program, libvirtd)


def runs(program: str, prints: str, place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, f"test+unix:///default?socket={place}/libvirt-sock"],
        env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, prints, "")
