# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the daemon share: a short directory, and settings from text."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp(prefix="vp"))
    yield path
    shutil.rmtree(path)
