# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client in asyncio tasks: a process of its own, for this one's reactor is another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tasks_cancelling_events_and_errors(uri: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.client.aio_program", uri],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
