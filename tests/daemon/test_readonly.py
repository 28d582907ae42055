# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole virtproxyd with a scripted daemon behind it: nothing denied passes, whichever way a client comes in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed

from tests.daemon.test_lifecycle import tls_files
from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.denied import denied_calls, harmless_calls
from tests.support.scripted import ScriptedDaemon
from virtproxy.client import connect
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

reactor: Any = installed
pytestmark = pytest.mark.root  # a user's own daemon has no read-only socket

WAYS = {
    "the -ro socket": "qemu+unix:///system?socket={place}/libvirt-sock-ro",
    "the RO flag on the socket": "qemu+unix:///system?socket={place}/libvirt-sock",
    "the RO flag over TCP": "qemu+tcp://127.0.0.1:{tcp}/system",
    "the RO flag over TLS": "qemu+tls://127.0.0.1:{tls}/system?pkipath={place}",
}


@pytest.fixture(scope="module")
def backend() -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon(reactor)
    daemon.script.answers[remote.CONNECT_SET_IDENTITY] = None
    yield daemon
    daemon.close()


@pytest.fixture(scope="module")
def where(backend: ScriptedDaemon) -> Iterator[dict[str, Any]]:
    """Where a virtproxyd listens that has the scripted daemon behind it for every driver."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    drivers = ("qemu", "network", "storage", "nodedev", "nwfilter", "secret", "interface")
    sockets = ", ".join(f'"{driver}={backend.path}"' for driver in drivers)
    text = f'listen_tcp = 1\nauth_tcp = "none"\ntcp_port = "0"\n{tls_files(place)}backend_sockets = [ {sockets} ]\n'
    daemon = DaemonProcess(place, ["-v", "-f", str(configuration(place, text)), "-p", str(place / "pid")])
    daemon.wait_for("is ready")
    tcp, tls = (int(daemon.wait_for(rf"listens on {kind} \S+:(\d+)")[1]) for kind in ("tcp", "tls"))
    yield {"place": place, "tcp": tcp, "tls": tls}
    assert daemon.stop() == 0
    shutil.rmtree(place)


@pytest.mark.parametrize("way", WAYS)
@pytest_twisted.ensureDeferred
async def test_nothing_denied_reaches_a_daemon(backend: ScriptedDaemon, where: dict[str, Any], way: str) -> None:
    backend.script.sessions.clear()
    uri = WAYS[way].format(**where)
    # By its address alone nobody is read-only: the socket must do it, or the flag.
    async with connect(reactor, uri, readonly="flag" in way) as client:
        for procedure, args in denied_calls():
            with pytest.raises(VirtError) as refused:
                await client.call(procedure, args)
            assert refused.value.code == ErrorCode.OPERATION_DENIED, procedure
        for procedure, args in harmless_calls():
            with pytest.raises(VirtError, match="not here"):
                await client.call(procedure, args)
    reached = {procedure for session in backend.script.sessions for procedure, _ in session.calls}
    own = {remote.AUTH_LIST, remote.CONNECT_OPEN, remote.CONNECT_SET_IDENTITY}
    assert reached - own == {procedure for procedure, _ in harmless_calls()}
