# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the daemon share: a short directory, and no daemon left behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.routing.conftest import clock, daemons, loop, make_proxy, timed_proxy  # noqa: F401 (fixtures)
from tests.support.daemon_process import DaemonProcess


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    path = Path(tempfile.mkdtemp(prefix="vp"))
    yield path
    DaemonProcess.end_all(path)
    shutil.rmtree(path)
