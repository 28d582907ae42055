# SPDX-License-Identifier: LGPL-2.1-or-later
"""--leave-out names what it leaves out, and without it nothing is left out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = """
import pytest

@pytest.mark.programs("sh")
def test_runs(): pass

@pytest.mark.programs("sh", "no-such-program")
def test_cannot(): assert False, "ran without its program"
"""


def run(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (place / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.leave_out", "-p", "no:cacheprovider", *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, "test_suite.py"], cwd=place, env=env, capture_output=True, text=True)


def test_it_is_named(tmp_path: Path) -> None:
    ended = run(tmp_path, "--leave-out")
    assert ended.returncode == 0, ended.stdout
    assert "1 of test_suite.py: needs no-such-program" in ended.stdout
    assert "1 passed, 1 deselected" in ended.stdout


def test_nothing_is_left_out_by_itself(tmp_path: Path) -> None:
    ended = run(tmp_path)
    assert ended.returncode == 1
    assert "1 failed, 1 passed" in ended.stdout
