# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole virtproxyd that asks for SASL on every transport, a Kerberos realm, and clients."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon_process import DaemonProcess, configuration, environment
from tests.support.sasl import Realm, write_config, write_credentials, write_users

CONFIG = """\
listen_tls = 1
listen_tcp = 1
listen_addr = "127.0.0.1"
tls_port = "{tls}"
tcp_port = "{tcp}"
ca_file = "{pki}/cacert.pem"
cert_file = "{pki}/servercert.pem"
key_file = "{pki}/serverkey.pem"
auth_unix_rw = "sasl"
audit_file = "{place}/audit"
audit_record = "all"
audit_sync = "always"
auth_tls = "sasl"
sasl_allowed_username_list = [ "joe", "an?", "joe@*" ]
"""


@dataclass
class Door:
    """A running daemon, where it listens, and a directory for its clients."""

    daemon: DaemonProcess
    tcp: int
    tls: int
    place: Path
    pki: Path

    def uri(self, transport: str, port: int | None = None) -> str:
        """A URI of the pretended host over unix, tcp or tls."""
        if transport == "unix":
            return f"test+unix:///default?socket={self.place}/libvirt-sock&"
        return f"test+{transport}://localhost:{port or getattr(self, transport)}/default?pkipath={self.pki}&"

    def virsh(
        self, uri: str, *command: str, user: tuple[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Run virsh; its exit status and what it wrote."""
        if user is not None:
            uri += f"authfile={write_credentials(self.place, *user)}"
        done = subprocess.run(
            ["virsh", "-c", uri, *(command or ("list", "--all", "--name"))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=25,
            env={"PATH": os.environ["PATH"], "HOME": str(self.place), "LC_ALL": "C", **(environ or {})},
        )
        return done.returncode, done.stdout.strip()


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@pytest.fixture
def loop() -> Any:
    """The reactor that pytest-twisted runs."""
    from twisted.internet import reactor

    return reactor


@pytest.fixture(scope="package")
def realm() -> Iterator[Realm]:
    """A key server, and keytabs of the service and of USERS."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    made = Realm(place)
    yield made
    made.close()
    shutil.rmtree(place)


@pytest.fixture(scope="package")
def door(pki: Path, realm: Realm) -> Iterator[Door]:
    """A daemon for all tests of this directory that do not change it."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    tcp, tls = free_ports(2)
    environ = {**environment(place), **write_config(place), **realm.environ}
    write_users(place, environ)
    path = configuration(place, CONFIG.format(tcp=tcp, tls=tls, pki=pki, place=place))
    arguments = ["--verbose", "--config", str(path), "--pid-file", str(place / "pid")]
    daemon = DaemonProcess(place, arguments, environ=environ)
    daemon.wait_for("is ready")
    client = place / "pki"
    client.mkdir()
    shutil.copy(pki / "cacert.pem", client / "cacert.pem")
    shutil.copy(pki / "goodcert.pem", client / "clientcert.pem")
    shutil.copy(pki / "goodkey.pem", client / "clientkey.pem")
    yield Door(daemon, tcp, tls, place, client)
    daemon.stop()
    shutil.rmtree(place)
