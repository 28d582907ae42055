# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which socket a URI leads to, as a table."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virtproxy.cli.local_socket import Caller, LocalSocket, LocalUriError, find_socket


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture
def user(tmp_path: Path) -> Caller:
    """An ordinary user with no daemon program installed."""
    (tmp_path / "xdg/libvirt").mkdir(parents=True)
    (tmp_path / "sbin").mkdir()
    env = {"XDG_RUNTIME_DIR": str(tmp_path / "xdg"), "LIBVIRTD_PATH": str(tmp_path / "sbin")}
    return Caller(1000, env)


def install(tmp_path: Path, *programs: str) -> None:
    for program in programs:
        path = tmp_path / "sbin" / program
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)


ROOT = Caller(0, {})


@pytest.mark.parametrize(
    ("uri", "readonly", "present", "chosen"),
    [
        ("qemu:///system", False, [], "libvirt-sock"),
        ("qemu:///system", True, [], "libvirt-sock-ro"),
        ("qemu:///system", False, ["virtqemud-sock"], "virtqemud-sock"),
        ("qemu:///system", False, ["libvirt-sock", "virtqemud-sock"], "virtqemud-sock"),
        ("qemu:///system", True, ["virtqemud-sock"], "libvirt-sock-ro"),
        ("qemu:///system", True, ["virtqemud-sock-ro"], "virtqemud-sock-ro"),
        ("qemu+unix:///system", False, [], "libvirt-sock"),
        ("qemu:///system?mode=direct", False, ["libvirt-sock"], "virtqemud-sock"),
        ("qemu:///system?mode=legacy", False, ["virtqemud-sock"], "libvirt-sock"),
        ("qemu:///system?mode=auto&no_verify=1", False, [], "libvirt-sock"),
        ("qemu:///session", False, [], "libvirt-sock"),
        ("network:///system", False, ["virtnetworkd-sock"], "virtnetworkd-sock"),
        ("test:///default", False, ["virtqemud-sock"], "libvirt-sock"),
        ("xen:///", False, [], "libvirt-sock"),
    ],
)
def test_system_socket(run_dir: Path, uri: str, readonly: bool, present: list[str], chosen: str) -> None:
    for name in present:
        (run_dir / name).touch()
    assert find_socket(uri, readonly, ROOT, str(run_dir)) == LocalSocket(str(run_dir / chosen))


@pytest.mark.parametrize("uri", ["qemu:///session", "test+unix:///default", "network:///session", "qemu:/session"])
def test_users_own_socket(user: Caller, uri: str) -> None:
    assert find_socket(uri, False, user) == LocalSocket(os.path.join(user.session_dir, "libvirt-sock"))


@pytest.mark.parametrize("uri", ["qemu:///system", "test:///default", "qemu:///embed"])
def test_a_user_at_the_hosts_socket(user: Caller, run_dir: Path, uri: str) -> None:
    assert find_socket(uri, False, user, str(run_dir)).path == str(run_dir / "libvirt-sock")


def test_a_users_socket_has_no_readonly_twin(user: Caller) -> None:
    assert find_socket("qemu:///session", True, user).path.endswith("/libvirt-sock")


@pytest.mark.parametrize(
    ("uri", "installed", "socket_name", "daemon"),
    [
        ("qemu:///session", ["libvirtd", "virtqemud"], "libvirt-sock", "libvirtd"),
        ("qemu:///session", ["virtqemud", "virtproxyd"], "virtqemud-sock", "virtqemud"),
        ("qemu:///session", ["virtproxyd"], "libvirt-sock", "virtproxyd"),
        ("qemu:///session?mode=direct", ["libvirtd", "virtqemud"], "virtqemud-sock", "virtqemud"),
        ("qemu:///session?mode=legacy", ["virtqemud", "virtproxyd"], "libvirt-sock", "virtproxyd"),
        ("vbox:///session", ["virtqemud", "virtvboxd"], "virtvboxd-sock", "virtvboxd"),
    ],
)
def test_daemon_to_start(
    user: Caller, tmp_path: Path, uri: str, installed: list[str], socket_name: str, daemon: str
) -> None:
    install(tmp_path, *installed)
    found = find_socket(uri, False, user)
    assert found == LocalSocket(os.path.join(user.session_dir, socket_name), str(tmp_path / "sbin" / daemon))


def test_a_listening_daemon_wins_over_an_installed_one(user: Caller, tmp_path: Path) -> None:
    install(tmp_path, "libvirtd")
    Path(user.session_dir, "virtqemud-sock").touch()
    assert find_socket("qemu:///session", False, user).path.endswith("/virtqemud-sock")


def test_autostart_can_be_turned_off(user: Caller, tmp_path: Path) -> None:
    install(tmp_path, "libvirtd")
    caller = Caller(user.uid, {**user.env, "LIBVIRT_AUTOSTART": "0"})
    assert find_socket("qemu:///session", False, caller).daemon is None


def test_session_dir_without_a_runtime_dir() -> None:
    assert Caller(1000, {"HOME": "/home/joe"}).session_dir == "/home/joe/.cache/libvirt"
    assert Caller(1000, {"HOME": "/home/joe", "XDG_CACHE_HOME": "/c"}).session_dir == "/c/libvirt"


def test_socket_given() -> None:
    assert find_socket("qemu:///session?socket=/a/b%20c", False, Caller(1000, {})) == LocalSocket("/a/b c")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("", "is not a libvirt URI"),
        (":::", "is not a libvirt URI"),
        ("foo", "is not a libvirt URI"),
        ("/system", "is not a libvirt URI"),
        ("qemu://host/system", "is not on this host"),
        ("qemu+ssh://host/system", "is not on this host"),
        ("qemu+tls:///system", "is not on this host"),
        ("qemu+bogus:///system", "is not on this host"),
        ("qemu:///system?mode=bad", "mode=bad"),
    ],
)
def test_refused(uri: str, said: str) -> None:
    with pytest.raises(LocalUriError, match=said):
        find_socket(uri, False, ROOT)
