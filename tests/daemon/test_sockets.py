# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opening sockets: modes, groups, stale and live ones, taken ports."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.sockets import OpenSocket, SocketError, check_inet, check_unix, open_inet, open_unix


def endpoint(place: Path, mode: int = 0o750, group: int | None = None) -> UnixEndpoint:
    return UnixEndpoint(str(place / "sock"), mode, group, readonly=False, key="unix_sock_dir")


def inet(address: str, port: int, *, wildcard: bool = False) -> InetEndpoint:
    if ":" in address:
        return InetEndpoint(socket.AF_INET6, (address, port, 0, 0), "tls", "tls_port", wildcard)
    return InetEndpoint(socket.AF_INET, (address, port), "tcp", "tcp_port", wildcard)


def port_of(opened: OpenSocket | None) -> int:
    assert opened is not None
    return int(opened.socket.getsockname()[1])


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o700, 0o600])
def test_the_mode_is_exact_whatever_the_umask(place: Path, mode: int) -> None:
    before = os.umask(0o027)
    try:
        opened = open_unix(endpoint(place, mode), 5)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(place / "sock").st_mode) == mode
    opened.remove()
    assert not (place / "sock").exists()


def test_nobody_is_let_in_before_the_mode_is_set(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def chmod(path: str, mode: int) -> None:
        seen.append(stat.S_IMODE(os.stat(path).st_mode))
        # The owner's client goes on trying after this, but not after "permission denied".
        with socket.socket(socket.AF_UNIX) as early, pytest.raises(ConnectionRefusedError):
            early.connect(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "chmod", chmod)
        opened = open_unix(endpoint(place), 5)
    assert seen == [0o600]
    opened.remove()


@pytest.mark.root
def test_the_group_is_given(place: Path) -> None:
    opened = open_unix(endpoint(place, 0o770, group=12345), 5)
    found = os.stat(place / "sock")
    assert (found.st_uid, found.st_gid) == (0, 12345)
    opened.remove()


def test_clients_can_wait(place: Path) -> None:
    opened = open_unix(endpoint(place), 0)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(place / "sock"))
        accepted, _ = opened.socket.accept()
        accepted.close()
    opened.remove()


def test_a_stale_socket_is_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place / "sock"))
    stale = os.stat(place / "sock").st_ino
    assert check_unix(endpoint(place)) is True
    keeper = place / "keeper"
    os.link(place / "sock", keeper)  # or the new file could get the number of the old one
    opened = open_unix(endpoint(place), 5)
    assert os.stat(place / "sock").st_ino != stale
    opened.remove()


def test_a_free_path_is_free(place: Path) -> None:
    assert check_unix(endpoint(place)) is False


LISTEN = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
print("up", flush=True); sys.stdin.read()
"""


def test_a_live_socket_is_refused_and_names_its_process(place: Path) -> None:
    path = str(place / "sock")
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        with pytest.raises(SocketError, match=f"{path} is in use by process {holder.pid} .python.*set unix_sock_dir"):
            open_unix(endpoint(place), 5)
        # That probe fills the queue of one, and the daemon is as alive as before.
        with pytest.raises(SocketError, match="is in use by a live daemon"):
            open_unix(endpoint(place), 5)
        holder.stdin.close()
    assert os.path.exists(path)


def test_what_is_no_socket_is_left_alone(place: Path) -> None:
    (place / "sock").write_text("precious")
    with pytest.raises(SocketError, match="exists and is not a socket") as refused:
        open_unix(endpoint(place), 5)
    assert refused.value.exit_code == 6
    assert (place / "sock").read_text() == "precious"


def test_a_directory_that_is_not_there(place: Path) -> None:
    with pytest.raises(SocketError, match="No such file or directory"):
        open_unix(endpoint(place / "none"), 5)


def test_only_the_own_file_is_removed(place: Path) -> None:
    opened = open_unix(endpoint(place), 5)
    os.rename(place / "sock", place / "old")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(place / "sock"))
        opened.remove()
        assert (place / "sock").exists()


def test_both_families_on_one_port() -> None:
    four = open_inet(inet("127.0.0.1", 0), 5)
    six = open_inet(inet("::1", port_of(four)), 5)
    assert four is not None
    assert six is not None
    assert six.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    four.remove()
    six.remove()


def test_a_taken_port_names_the_key_to_change() -> None:
    taken = open_inet(inet("127.0.0.1", 0), 5)
    port = port_of(taken)
    for open_or_check in (lambda: open_inet(inet("127.0.0.1", port), 5), lambda: check_inet(inet("127.0.0.1", port))):
        with pytest.raises(SocketError, match=f"127.0.0.1:{port}: the port is taken; .* set tcp_port"):
            open_or_check()
    assert taken is not None
    taken.remove()
    assert check_inet(inet("127.0.0.1", port)) is True


def test_an_address_of_another_host() -> None:
    with pytest.raises(SocketError, match=r"192\.0\.2\.1:0: the host does not have this address; set listen_addr"):
        check_inet(inet("192.0.2.1", 0))
    assert check_inet(inet("192.0.2.1", 0, wildcard=True)) is False
