# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who listens where: from a made /proc, and from the real one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from virtproxy.cli.listening import Process, look, process_of, running_daemons

UNIX = """Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 101 /run/libvirt/virtqemud-sock
0000000000000000: 00000003 00000000 00000000 0001 03 102 /run/libvirt/virtqemud-sock
0000000000000000: 00000002 00000000 00010000 0001 01 103 /var/run/libvirt/libvirt-sock
0000000000000000: 00000002 00000000 00010000 0001 01 104 @abstract
0000000000000000: 00000002 00000000 00000000 0002 01 105
"""
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:4082 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 201 1 0
   1: 0100007F:407D 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 202 1 0
"""


def process(proc: Path, pid: int, comm: str, words: list[str], *inodes: int) -> None:
    (proc / str(pid) / "fd").mkdir(parents=True)
    (proc / str(pid) / "comm").write_text(comm + "\n")
    (proc / str(pid) / "cmdline").write_bytes("\0".join([*words, ""]).encode())
    for number, inode in enumerate(inodes):
        os.symlink(f"socket:[{inode}]", proc / str(pid) / "fd" / str(number))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "unix").write_text(UNIX)
    (tmp_path / "net" / "tcp").write_text(TCP)
    return tmp_path


def test_who_holds_what(proc: Path) -> None:
    process(proc, 1, "systemd", ["/sbin/init"], 101, 103)
    process(proc, 7, "virtqemud", ["/usr/sbin/virtqemud", "--timeout", "120"], 101)
    process(proc, 8, "virsh", ["virsh"], 102, 202)
    process(proc, 9, "virtproxyd", ["/usr/bin/python3", "/usr/sbin/virtproxyd"], 201)
    seen = look(["/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock", "/run/none"], [16509, 16514], str(proc))
    assert {path: [one.pid for one in found] for path, found in seen.unix.items()} == {
        "/run/libvirt/virtqemud-sock": [1, 7],
        "/run/libvirt/libvirt-sock": [1],
    }
    assert {port: [str(one) for one in found] for port, found in seen.tcp.items()} == {
        16514: ["virtproxyd (process 9)"]
    }
    assert seen.complete
    assert seen.daemons_at("/run/libvirt/virtqemud-sock") == {"virtqemud"}


@pytest.mark.parametrize(
    ("comm", "words", "daemon", "python"),
    [
        ("libvirtd", ["/usr/sbin/libvirtd"], "libvirtd", False),
        ("virtproxyd", ["/usr/bin/python3", "/usr/sbin/virtproxyd", "--timeout", "120"], "virtproxyd", True),
        ("python3", ["python3", "-m", "virtproxy.cli.daemons", "virtqemud", "-v"], "virtqemud", True),
        ("python3", ["python3", "-W", "error", "/usr/sbin/virtproxyd"], "virtproxyd", True),
        ("twistd3", ["/usr/bin/python3", "/usr/bin/twistd3", "-n", "virtproxyd"], "virtproxyd", True),
        ("virtproxy", ["/usr/bin/python3", "/usr/bin/virtproxy", "install", "libvirtd"], None, True),
        ("vim", ["vim", "libvirtd"], None, False),
        ("kthreadd", [""], None, False),
    ],
)
def test_what_a_process_is(proc: Path, comm: str, words: list[str], daemon: str | None, python: bool) -> None:
    process(proc, 7, comm, words)
    assert process_of(7, str(proc)) == Process(7, comm, daemon, python, os.geteuid())
    assert len(running_daemons(str(proc))) == (daemon is not None and os.geteuid() == 0)


def test_a_process_that_is_gone(proc: Path) -> None:
    assert process_of(7, str(proc)) is None


def test_the_real_host(tmp_path: Path) -> None:
    path = str(tmp_path / "sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket() as port:
        listener.bind(path)
        assert look([path], []).unix == {}
        listener.listen()
        port.bind(("127.0.0.1", 0))
        port.listen()
        number = port.getsockname()[1]
        seen = look([path], [number])
    assert os.getpid() in [one.pid for one in seen.unix[path]]
    assert os.getpid() in [one.pid for one in seen.tcp[number]]
