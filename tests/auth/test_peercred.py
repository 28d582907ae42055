# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who is at the other end of a UNIX socket: this process, another one, one that is gone."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from virtproxy.auth import peercred
from virtproxy.auth.peercred import PeerCredentials, identity_of_unix, process_start_time, unix_peer

CONNECT = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('there', flush=True)"
UNUSED_ID = 3_999_999_999


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    place = tempfile.mkdtemp(prefix="vp")
    os.chmod(place, 0o755)
    with socket.create_server(f"{place}/sock", family=socket.AF_UNIX) as sock:
        os.chmod(f"{place}/sock", 0o777)
        sock.settimeout(10)
        yield sock
    shutil.rmtree(place)


def test_this_process() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert unix_peer(ours) == PeerCredentials(os.getpid(), os.geteuid(), os.getegid())
        identity = identity_of_unix(ours, readonly=True)
    assert identity.transport == "unix"
    assert identity.readonly_socket
    assert (identity.uid, identity.gid, identity.pid) == (os.geteuid(), os.getegid(), os.getpid())
    assert identity.user_name == pwd.getpwuid(os.geteuid()).pw_name
    assert identity.group_name == grp.getgrgid(os.getegid()).gr_name


def test_the_start_time_is_ps_s() -> None:
    ticks = process_start_time(os.getpid())
    assert ticks is not None
    with open("/proc/uptime") as file:
        uptime = float(file.read().split()[0])
    age = int(subprocess.check_output(["ps", "-o", "etimes=", "-p", str(os.getpid())]))
    assert abs(uptime - ticks / os.sysconf("SC_CLK_TCK") - age) < 3


def test_a_process_with_an_odd_name(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "30"]) as process:
        ours = process_start_time(os.getpid())
        theirs = process_start_time(process.pid)
        process.kill()
    assert ours is not None
    assert theirs is not None
    assert ours <= theirs < ours + 3600 * os.sysconf("SC_CLK_TCK")


def test_a_peer_that_has_died_keeps_its_ids(listener: socket.socket) -> None:
    child = subprocess.Popen([sys.executable, "-c", CONNECT, listener.getsockname()], stdout=subprocess.PIPE)
    child.communicate(timeout=10)
    sock, _ = listener.accept()
    with sock:
        identity = identity_of_unix(sock, readonly=False)
    assert identity.pid == child.pid
    assert identity.uid == os.geteuid()
    assert identity.process_start_time is None


@pytest.mark.root
@pytest.mark.programs("setpriv")
def test_a_user_without_a_name(listener: socket.socket) -> None:
    command = ["setpriv", f"--reuid={UNUSED_ID}", f"--regid={UNUSED_ID}", "--clear-groups"]
    command += ["/usr/bin/python3", "-c", CONNECT, listener.getsockname()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=10)
    sock, _ = listener.accept()
    with sock:
        identity = identity_of_unix(sock, readonly=False)
    assert (identity.uid, identity.gid) == (UNUSED_ID, UNUSED_ID)
    assert (identity.user_name, identity.group_name) == (None, None)


def test_no_such_process() -> None:
    assert process_start_time(2**22 + 1) is None


def test_only_a_unix_socket_has_a_peer() -> None:
    with socket.socket(socket.AF_INET) as sock, pytest.raises(OSError, match="only a UNIX socket"):
        peercred.unix_peer(sock)
