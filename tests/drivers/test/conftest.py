# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtproxyd for the tests that talk to the embedded test driver through a real socket."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.lab import INSIDE, client_environment, fetched_tree, lab


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


class Peer(NamedTuple):
    """A C libvirtd with its test driver, and the client programs of its version."""

    version: str
    uri: str
    virsh: str
    environment: dict[str, str]


@pytest.fixture(scope="module", params=["9.0.0", "11.3.0"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """Debian's libvirtd, and the newer one whose interface ours presents."""
    version: str = request.param
    tree = None if version == "9.0.0" else fetched_tree()
    program = "virsh" if tree is None else str(tree / "usr/bin/virsh")
    with lab(tree) as host:
        host.libvirtd(INSIDE / "s")
        uri = f"test+unix:///default?socket={host.directory}/s/libvirt-sock"
        yield Peer(version, uri, program, client_environment(tree))
