# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which processes are guests, and whose units they are in: from a made /proc, and from the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.cli import guests
from virtproxy.cli.guests import Guest

GROUPS = "1:name=systemd:/system.slice/libvirtd.service\n0::/system.slice/libvirtd.service\n"


def process(proc: Path, pid: int, words: list[str], state: str = "S") -> None:
    directory = proc / str(pid)
    directory.mkdir()
    (directory / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    (directory / "stat").write_text(f"{pid} (a ) b) {state} " + " ".join(str(number) for number in range(4, 53)))
    (directory / "cgroup").write_text(GROUPS)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/usr/bin/qemu-system-x86_64", "-name", "guest=web,debug-threads=on", "-S"], "web"),
        (["/usr/libexec/qemu-kvm", "-name", "guest=db"], "db"),
        (["/usr/lib/libvirt/libvirt_lxc", "--name", "box", "--console", "19"], "box"),
        (["/usr/bin/qemu-system-x86_64", "-nodefaults", "-qmp", "stdio"], None),
        (["/usr/bin/less", "-name", "guest=web"], None),
    ],
)
def test_what_is_a_guest(tmp_path: Path, words: list[str], name: str | None) -> None:
    process(tmp_path, 42, words)
    (tmp_path / "self").mkdir()
    assert {guest.name for guest in guests.running(str(tmp_path))} == ({name} if name else set())


def test_whose_unit_a_guest_is_in(tmp_path: Path) -> None:
    process(tmp_path, 42, ["qemu-system-x86_64", "-name", "guest=web"])
    process(tmp_path, 43, ["qemu-system-x86_64", "-name", "guest=gone"], state="Z")
    (guest,) = guests.running(str(tmp_path))
    assert guest == Guest(42, "22", "web")
    assert guest.is_of("libvirtd.service")
    assert not guest.is_of("virtd.service")


def test_this_host_can_be_looked_at() -> None:
    assert all(guest.pid > 1 for guest in guests.running())


def test_not_more_names_than_fit_into_a_sentence() -> None:
    many = {Guest(number, "1", f"g{number}") for number in range(8)}
    assert guests.listed(many).endswith("g4 (process 4) and 3 more")
