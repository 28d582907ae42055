# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtproxyd for the tests that talk to the embedded test driver through a real socket."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess, configuration


@pytest.fixture(scope="module")
def daemon() -> Iterator[Path]:
    """The directory with the sockets of a running virtproxyd."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    settings = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n'
    process = DaemonProcess(place, ["-v", "-f", str(configuration(place, settings)), "-p", str(place / "d.pid")])
    try:
        process.wait_for("is ready")
        yield place
    finally:
        process.stop()
        shutil.rmtree(place)


@pytest.fixture
def uri(daemon: Path) -> str:
    """What a client opens to reach the test driver over the read-write socket."""
    return f"test+unix:///default?socket={daemon}/libvirt-sock"


@pytest.fixture
def readonly_uri(daemon: Path) -> str:
    """The same over the read-only socket."""
    return f"test+unix:///default?socket={daemon}/libvirt-sock-ro"
