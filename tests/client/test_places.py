# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which socket of this host serves a URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from virtproxy.client import places
from virtproxy.client.places import local_socket
from virtproxy.client.uri import UriError, parse
from virtproxy.rpc.local_socket import LocalSocket


def found(uri: str, *, readonly: bool = False, uid: int = 0, **environ: str) -> LocalSocket:
    # Nothing of this host is found unless the test says where.
    return local_socket(parse(uri), readonly=readonly, environ={"LIBVIRTD_PATH": "/nowhere", **environ}, uid=uid)


def path(uri: str, *, readonly: bool = False, uid: int = 0, **environ: str) -> str:
    return found(uri, readonly=readonly, uid=uid, **environ).path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of system sockets in which virtqemud listens."""
    (tmp_path / "virtqemud-sock").touch()
    (tmp_path / "virtqemud-sock-ro").touch()
    monkeypatch.setattr(places, "SYSTEM_DIRECTORY", str(tmp_path))
    return tmp_path


def test_a_drivers_own_daemon_comes_first(run: Path) -> None:
    assert path("qemu:///system") == f"{run}/virtqemud-sock"
    assert path("qemu:///system", readonly=True) == f"{run}/virtqemud-sock-ro"
    assert path("lxc:///system") == f"{run}/libvirt-sock"
    assert path("lxc:///system", readonly=True) == f"{run}/libvirt-sock-ro"
    assert path("") == f"{run}/libvirt-sock"


def test_mode_and_socket_decide(run: Path) -> None:
    assert path("qemu:///system?mode=legacy") == f"{run}/libvirt-sock"
    assert path("lxc:///system?mode=direct") == f"{run}/virtlxcd-sock"
    assert path("qemu+unix:///system?mode=direct&socket=/s") == "/s"
    with pytest.raises(UriError, match="mode=x is not known"):
        path("qemu:///system?mode=x")


def test_a_users_own_daemons(tmp_path: Path) -> None:
    runtime = str(tmp_path)
    assert path("qemu:///session", uid=7, XDG_RUNTIME_DIR=runtime) == f"{tmp_path}/libvirt/libvirt-sock"
    assert path("qemu:///session", uid=7, readonly=True, XDG_RUNTIME_DIR=runtime) == f"{tmp_path}/libvirt/libvirt-sock"
    (tmp_path / "libvirt").mkdir()
    (tmp_path / "libvirt" / "virtqemud-sock").touch()
    assert path("qemu:///session", uid=7, XDG_RUNTIME_DIR=runtime) == f"{tmp_path}/libvirt/virtqemud-sock"
    assert path("qemu:///session", uid=7, XDG_CACHE_HOME="/c", XDG_RUNTIME_DIR="x") == "/c/libvirt/libvirt-sock"
    assert path("qemu:///session", uid=7, HOME="/h") == "/h/.cache/libvirt/libvirt-sock"


def test_whose_the_test_driver_and_an_empty_uri_are(run: Path) -> None:
    for uri in ("test:///default", "test+unix:///default", ""):
        assert path(uri, uid=7, XDG_RUNTIME_DIR="/x") == "/x/libvirt/libvirt-sock"
        assert path(uri, XDG_RUNTIME_DIR="/x") == f"{run}/libvirt-sock"


def test_root_has_no_session(run: Path) -> None:
    assert path("qemu:///session", XDG_RUNTIME_DIR="/x") == f"{run}/virtqemud-sock"


def test_a_users_missing_daemon_can_be_started(tmp_path: Path) -> None:
    places_of = {"XDG_RUNTIME_DIR": str(tmp_path), "LIBVIRTD_PATH": str(tmp_path)}
    for name in ("virtproxyd", "virtqemud", "libvirtd"):
        program = tmp_path / name
        program.touch(mode=0o700)
        expected = ("virtqemud-sock", "virtqemud") if name == "virtqemud" else ("libvirt-sock", name)
        socket = local_socket(parse("qemu:///session"), readonly=False, environ=places_of, uid=7)
        assert socket == LocalSocket(f"{tmp_path}/libvirt/{expected[0]}", f"{tmp_path}/{expected[1]}")
    kept = local_socket(
        parse("qemu:///session"), readonly=False, environ={**places_of, "LIBVIRT_AUTOSTART": "0"}, uid=7
    )
    assert kept.daemon is None
    chosen = {**places_of, "VIRTD_PATH": "/nowhere"}
    assert local_socket(parse("qemu:///session"), readonly=False, environ=chosen, uid=7).daemon is None
    assert found("qemu:///system", LIBVIRTD_PATH=str(tmp_path)).daemon is None
