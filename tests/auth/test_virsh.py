# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole virtproxyd on TLS, and virsh at its door."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess, configuration

pytestmark = pytest.mark.programs("virsh")

CONFIG = """\
listen_tls = 1
listen_addr = "127.0.0.1"
tls_port = "{port}"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
crl_file = "{pki}/crl.pem"
tls_allowed_dn_list = [ "C=GB,O=Org*,CN=*" ]
"""


class Door:
    """A running daemon and where it listens."""

    def __init__(self, daemon: DaemonProcess, port: int) -> None:
        self.daemon = daemon
        self.port = port


@pytest.fixture(scope="module")
def door(pki: Path) -> Iterator[Door]:
    place = Path(tempfile.mkdtemp(prefix="vp"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    path = configuration(place, CONFIG.format(port=port, pki=pki))
    daemon = DaemonProcess(place, ["--verbose", "--config", str(path), "--pid-file", str(place / "pid")])
    daemon.wait_for("is ready")
    yield Door(daemon, port)
    daemon.stop()
    shutil.rmtree(place)


def virsh(door: Door, pki: Path, place: Path, stem: str | None, host: str = "localhost") -> tuple[int, str]:
    """Run virsh with a client's pair; its exit status and what it wrote."""
    shutil.copy(pki / "cacert.pem", place / "cacert.pem")
    if stem is not None:
        shutil.copy(pki / f"{stem}cert.pem", place / "clientcert.pem")
        shutil.copy(pki / f"{stem}key.pem", place / "clientkey.pem")
    uri = f"test+tls://{host}:{door.port}/default?pkipath={place}"
    done = subprocess.run(
        ["virsh", "-c", uri, "list", "--all", "--name"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C"},
    )
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("stem", ["good", "plain"])
def test_comes_in(door: Door, pki: Path, tmp_path: Path, stem: str, host: str) -> None:
    assert virsh(door, pki, tmp_path, stem, host) == (0, "test")


@pytest.mark.parametrize(
    ("stem", "says"),
    [
        (None, "with no certificate refused: the client sent no certificate"),
        ("revoked", 'with certificate "C=GB,O=Org\\, Inc,CN=revoked" refused: it has been revoked'),
        (
            "unlisted",
            'with certificate "C=FR,O=Org\\, Inc,CN=unlisted" refused: '
            "its distinguished name is not on tls_allowed_dn_list",
        ),
    ],
)
def test_stays_outside(door: Door, pki: Path, tmp_path: Path, stem: str | None, says: str) -> None:
    status, output = virsh(door, pki, tmp_path, stem)
    assert status == 1
    assert "failed to connect to the hypervisor" in output
    door.daemon.wait_for(re.escape(says))
    assert virsh(door, pki, tmp_path, "good") == (0, "test")
    assert "Traceback" not in door.daemon.said()
