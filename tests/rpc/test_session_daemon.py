# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connecting, and starting a daemon that is not there: with real processes and sockets."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from virtproxy.rpc import session_daemon
from virtproxy.rpc.session_daemon import ConnectError, connect, find_daemon

# Listens, says its pid and arguments to each client, and ends with the third.
DAEMON = """#!{python}
import os, socket, sys
with open({log!r}, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
listener = socket.socket(socket.AF_UNIX)
listener.bind({path!r})
listener.listen()
for _ in range({clients}):
    client = listener.accept()[0]
    client.sendall(b"%d" % os.getpid())
    client.close()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="vp"))
    yield path
    shutil.rmtree(path)


def daemon(place: Path, clients: int) -> tuple[str, str]:
    program, path = place / "virttestd", place / "new/sock"
    program.write_text(DAEMON.format(python=sys.executable, log=str(place / "log"), path=str(path), clients=clients))
    program.chmod(0o755)
    return str(path), str(program)


# The lock is between processes, so each client is one.
CLIENT = """
import sys
from virtproxy.rpc.session_daemon import connect
print(connect(*sys.argv[1:]).recv(100).decode(), end="")
"""


def test_a_listening_daemon_is_used(place: Path) -> None:
    path = str(place / "sock")
    with socket.create_server(path, family=socket.AF_UNIX) as listener, connect(path) as client:
        server = listener.accept()[0]
        server.sendall(b"hello")
        server.close()
        assert client.recv(10) == b"hello"


def test_a_missing_daemon_is_started_once(place: Path) -> None:
    where = daemon(place, 3)
    command = [sys.executable, "-c", CLIENT, *where]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    clients = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = {client.communicate()[0] for client in clients}
    assert len(answers) == 1
    assert int(answers.pop()) > 0
    assert (place / "log").read_text() == "--timeout=120\n"


def test_it_does_not_speak_for_who_starts_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    path, program = daemon(place, 1)
    (place / "shown").write_text(f"#!/bin/sh\nenv > {place}/env\nexec {program}\n")
    (place / "shown").chmod(0o755)
    connect(path, str(place / "shown")).close()
    names = {line.partition("=")[0] for line in (place / "env").read_text().splitlines()}
    assert names & {"NOTIFY_SOCKET", "LISTEN_FDS", "XDG_CACHE_HOME"} == {"XDG_CACHE_HOME"}


def test_two_threads_start_it_once(place: Path) -> None:
    where = daemon(place, 8)
    with ThreadPoolExecutor(8) as threads:
        clients = list(threads.map(lambda number: connect(*where), range(8)))
    answers = {client.recv(100) for client in clients}
    for client in clients:
        client.close()
    assert len(answers) == 1
    assert (place / "log").read_text() == "--timeout=120\n"


# The first two find that somebody holds the pid file.
LATE = """#!/bin/sh
echo started >> {place}/starts
[ $(wc -l < {place}/starts) -gt 2 ] || exit 1
exec {program} "$@"
"""


def test_a_daemon_whose_predecessor_is_still_ending(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_daemon, "RESTART_PAUSE", 0.01)
    path, program = daemon(place, 1)
    (place / "late").write_text(LATE.format(place=place, program=program))
    (place / "late").chmod(0o755)
    with connect(path, str(place / "late")) as client:
        assert int(client.recv(100)) > 0


def test_where_programs_are_looked_for(place: Path) -> None:
    for name in ("one", "two"):
        (place / name).mkdir()
        (place / name / "virttestd").touch(mode=0o700)
    one, two = str(place / "one"), str(place / "two")
    assert find_daemon("virttestd", {"PATH": one}) == f"{one}/virttestd"
    assert find_daemon("virttestd", {"PATH": one, "LIBVIRTD_PATH": two}) == f"{two}/virttestd"
    assert find_daemon("virttestd", {"LIBVIRTD_PATH": two, "VIRTD_PATH": one}) == f"{one}/virttestd"
    assert find_daemon("virttestd", {"PATH": one, "VIRTD_PATH": str(place)}) is None


def test_a_daemon_that_fails_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_daemon, "RESTART_PAUSE", 0.01)
    with pytest.raises(ConnectError, match=r"/bin/false ended at once \(exit status 1\)"):
        connect(str(place / "sock"), "/bin/false")


def test_a_daemon_that_never_listens(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_daemon, "START_LIMIT", 0.1)
    with pytest.raises(ConnectError, match="does not listen"):
        connect(str(place / "sock"), "/bin/true")


def test_a_program_that_cannot_run(place: Path) -> None:
    with pytest.raises(ConnectError, match="cannot start /no/such/program: No such file"):
        connect(str(place / "sock"), "/no/such/program")


def test_a_directory_that_cannot_be_made(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(ConnectError, match="Not a directory"):
        connect(str(place / "file/new/sock"), "/bin/true")


def test_no_socket(place: Path) -> None:
    with pytest.raises(ConnectError, match="there is no such socket"):
        connect(str(place / "sock"))


def test_a_stale_socket(place: Path) -> None:
    path = str(place / "sock")
    socket.create_server(path, family=socket.AF_UNIX).close()
    with pytest.raises(ConnectError, match="nobody listens there"):
        connect(path)


def test_a_path_too_long() -> None:
    with pytest.raises(ConnectError, match="too long"):
        connect("/tmp/" + "x" * 200)
