# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons for the client library: a scripted one, our virtproxyd with its test driver, and libvirt's own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.lab import INSIDE, lab
from tests.support.scripted import ScriptedDaemon


@pytest.fixture
def reactor() -> Any:
    from twisted.internet import reactor as installed

    return installed


@pytest_twisted.async_yield_fixture
async def scripted(reactor: Any) -> AsyncIterator[ScriptedDaemon]:
    """A daemon in this process that answers as the test says."""
    daemon = ScriptedDaemon(reactor)
    yield daemon
    daemon.close()
    while not all(transport.disconnected for transport in daemon.transports):
        await deferLater(reactor, 0.001)


@pytest.fixture(scope="session")
def virtproxyd() -> Iterator[Path]:
    """The directory of a virtproxyd's sockets."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    place.chmod(0o755)
    config = configuration(place, 'auth_unix_rw = "none"\n')
    daemon = DaemonProcess(place, ["-v", "-f", str(config), "-p", str(place / "pid")])
    daemon.wait_for("is ready")
    yield place
    daemon.stop()
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def libvirtd() -> Iterator[Path]:
    """The directory of the sockets of a libvirtd of its own."""
    with lab() as made:
        made.libvirtd(INSIDE / "s")
        yield made.outside(INSIDE / "s")


@pytest.fixture(params=["virtproxyd", pytest.param("libvirtd", marks=pytest.mark.root)])
def place(request: pytest.FixtureRequest) -> Path:
    """The directory of a real daemon's sockets: ours and libvirt's."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def uri(place: Path) -> str:
    """The pretended host of a real daemon."""
    return f"test+unix:///default?socket={place}/libvirt-sock"
