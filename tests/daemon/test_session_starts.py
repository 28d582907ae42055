# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user's own proxy starts the user's driver daemon: a real libvirtd that goes by the name of virtqemud."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.threads import deferToThread

from tests.support.daemon_process import COMMAND, DaemonProcess, environment
from virtproxy.daemon.session_starts import SessionStarts
from virtproxy.errors import VirtError

pytestmark = [pytest.mark.programs("libvirtd", "virsh", "unshare")]

# In a user namespace without a mapping nobody is root, so every daemon in it is a user's own.
NOBODY = ("unshare", "--user") if os.geteuid() == 0 else ()
USER_ID = 54321  # that no account has
AS_USER = ("setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups")
# A session libvirtd has one socket, under the old name.
VIRTQEMUD = """#!/bin/sh
echo $$ > {place}/virtqemud.pid
ln -s {place}/backend/libvirt-sock {place}/run/libvirt/virtqemud-sock
exec libvirtd -f {place}/libvirtd.conf -p {place}/libvirtd.pid "$@"
"""


def user_daemon(place: Path, program: str) -> DaemonProcess:
    """A session virtproxyd that finds `program` under the name of virtqemud."""
    for name in ("bin", "run/libvirt", "backend"):
        (place / name).mkdir(parents=True)
    (place / "libvirtd.conf").write_text(f'unix_sock_dir = "{place}/backend"\n')
    (place / "bin/virtqemud").write_text(program)
    (place / "bin/virtqemud").chmod(0o755)
    environ = environment(place, PATH=f"{place}/bin:{os.environ['PATH']}")
    daemon = DaemonProcess(place, ("-v",), command=(*NOBODY, *COMMAND), environ=environ)
    daemon.wait_for("is ready")
    return daemon


def virsh(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A client of the user's proxy."""
    uri = f"qemu+unix:///session?socket={place}/run/libvirt/libvirt-sock"
    return subprocess.run(["virsh", "-c", uri, *words], capture_output=True, text=True, timeout=25)


def end(pid: int) -> None:
    """Kill a process that is nobody's child here and wait until it writes no more."""
    os.kill(pid, signal.SIGKILL)
    status = Path(f"/proc/{pid}/stat")
    while status.exists() and status.read_text().rsplit(") ", 1)[1][0] not in "ZX":
        time.sleep(0.01)


def test_the_daemon_is_started_for_the_first_client(place: Path) -> None:
    daemon = user_daemon(place, VIRTQEMUD.format(place=place))
    try:
        done = virsh(place, "version")
        assert (done.returncode, done.stderr) == (0, "")
        assert "QEMU" in done.stdout
        command = Path(f"/proc/{(place / 'virtqemud.pid').read_text().strip()}/cmdline").read_text()
        assert "--timeout=120" in command.split("\0")
    finally:
        started = place / "virtqemud.pid"
        if started.exists():
            end(int(started.read_text()))
        daemon.stop()


def test_many_clients_share_one_start(place: Path) -> None:
    """Fewer threads than clients are enough, and all hear what came of it."""
    (place / "bin").mkdir()
    (place / "bin/virtqemud").write_text(f"#!/bin/sh\necho x >> {place}/starts\nsleep 0.5\nexit 3\n")
    (place / "bin/virtqemud").chmod(0o755)
    environ = environment(place, PATH=f"{place}/bin:{os.environ['PATH']}")
    daemon = DaemonProcess(place, ("-v",), command=(*NOBODY, *COMMAND), environ=environ)
    daemon.wait_for("is ready")
    uri = f"qemu+unix:///session?socket={place}/run/libvirt/libvirt-sock"
    clients = [subprocess.Popen(["virsh", "-c", uri, "uri"], stderr=subprocess.PIPE, text=True) for _ in range(12)]
    said = [client.communicate(timeout=25)[1] for client in clients]
    assert all("virtqemud ended at once (exit status 3)" in text for text in said)
    assert (place / "starts").read_text().count("x") < 12
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


@pytest.mark.root
@pytest.mark.programs("setpriv")
def test_a_users_daemon_serves_that_user_only(place: Path) -> None:
    """Even where the socket lets everybody knock."""
    place.chmod(0o755)
    os.chown(place, USER_ID, USER_ID)
    text = f'unix_sock_dir = "{place}"\nunix_sock_rw_perms = "0777"\n'
    (place / "d.conf").write_text(text)
    daemon = DaemonProcess(place, ("-v", "-f", str(place / "d.conf")), command=(*AS_USER, *COMMAND))
    daemon.wait_for("is ready")
    with socket.socket(socket.AF_UNIX) as root:
        root.settimeout(10)
        root.connect(str(place / "libvirt-sock"))
        assert root.recv(1) == b""
    uri = f"test+unix:///default?socket={place}/libvirt-sock"
    command = [*AS_USER, "virsh", "-c", uri, "list", "--name"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=25, check=True).stdout.split() == ["test"]
    daemon.wait_for("client 1 is refused: this daemon serves its own user only; it is .*root")
    assert daemon.stop() == 0


def test_a_daemon_that_does_not_start_is_said(place: Path) -> None:
    daemon = user_daemon(place, "#!/bin/sh\nexit 3\n")
    done = virsh(place, "version")
    assert done.returncode == 1
    assert "virtqemud ended at once (exit status 3): run it to see why" in done.stderr
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()


@pytest_twisted.ensureDeferred
async def test_who_leaves_while_a_daemon_is_started_keeps_nobody_waiting(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "virtqemud").write_text("#!/bin/sh\nsleep 0.3\nexit 3\n")
    (place / "virtqemud").chmod(0o755)
    monkeypatch.setenv("VIRTD_PATH", str(place))
    starts, path = SessionStarts(), str(place / "sock")
    first, second, third = (ensureDeferred(starts.start("qemu", path)) for _ in range(3))
    second.cancel()
    first.cancel()
    for left in (first, second):
        with pytest.raises(CancelledError):
            await left
    with pytest.raises(VirtError, match=r"virtqemud ended at once \(exit status 3\)"):
        await third
    with pytest.raises(VirtError, match="ended at once"):
        await starts.start("qemu", path)


@pytest_twisted.ensureDeferred
async def test_a_connection_that_nobody_wants_any_more_is_closed(place: Path) -> None:
    starts, path = SessionStarts(), str(place / "sock")
    with socket.create_server(path, family=socket.AF_UNIX) as listener:
        ensureDeferred(starts.start("qemu", path)).addErrback(lambda failure: failure.trap(CancelledError)).cancel()
        with await starts.start("qemu", path):
            # The thread of the first may not have begun when it was cancelled: then only one has come.
            listener.settimeout(1)
            came = [(await deferToThread(listener.accept))[0]]
            with contextlib.suppress(TimeoutError):
                came.append((await deferToThread(listener.accept))[0])
        for sock in came:
            with sock:
                # In a thread: who closes it is the reactor.
                assert await deferToThread(sock.recv, 1) == b""
