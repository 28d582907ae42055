# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user's own daemons: libvirt's client starts a virtproxyd, that starts a real libvirtd, and all end by themselves.

The user is an account without rights, in a user namespace so that the Python of whoever runs the tests is found.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import ROOT
from tests.support.lab import client_environment, fetched_tree

pytestmark = [pytest.mark.conformance, pytest.mark.programs("libvirtd", "virsh", "unshare")]

USER = pwd.getpwnam("daemon")
AS_USER = ("unshare", "--user", f"--map-user={USER.pw_uid}", f"--map-group={USER.pw_gid}") if os.geteuid() == 0 else ()
# What the client library starts: it knows the name libvirtd only. It passes --timeout=120, too long for a test.
PROXY = """#!/bin/sh
echo "virtproxyd $@" >> {place}/starts
unset LD_LIBRARY_PATH  # the client's
export PYTHONPATH={root} PATH={place}/bin:$PATH
exec {python} -W error -m virtproxy.cli.daemons virtproxyd -v "$@" --timeout={timeout} 2>> {place}/log
"""
# What virtproxyd starts. Debian's libvirtd has all drivers in it; here it listens beside the proxy.
DRIVERS = """#!/bin/sh
echo "virtqemud $@" >> {place}/starts
exec {libvirtd} -f {place}/libvirtd.conf -p {place}/behind/libvirtd.pid "$@" --timeout={timeout} 2> /dev/null
"""
LIBVIRTD = shutil.which("libvirtd")
BEHIND = ("qemu", "network", "nodedev", "secret", "storage", "interface")
POOL = "<pool type='dir'><name>p</name><target><path>{place}</path></target></pool>"


class Home:
    """A user's home, with programs that note that they were started."""

    def __init__(self, place: Path, tree: Path | None, timeout: int = 2, **environ: str) -> None:
        self.place = place
        self.virsh_program = "virsh" if tree is None else str(tree / "usr/bin/virsh")
        self.environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(place),
            "VIRTD_PATH": str(place / "bin"),
            **client_environment(tree),
            **environ,
        }
        for name in ("bin", "behind", ".config/libvirt", "run"):
            (place / name).mkdir(parents=True)
        for name, text in (("libvirtd", PROXY), ("virtqemud", DRIVERS)):
            script = place / "bin" / name
            script.write_text(
                text.format(place=place, root=ROOT, libvirtd=LIBVIRTD, python=sys.executable, timeout=timeout)
            )
            script.chmod(0o755)
        (place / "libvirtd.conf").write_text(f'unix_sock_dir = "{place}/behind"\n')
        sockets = ", ".join(f'"{driver}={place}/behind/libvirt-sock"' for driver in BEHIND)
        (place / ".config/libvirt/virtproxyd.conf").write_text(f"backend_sockets = [{sockets}]\n")

    def virsh(self, uri: str, *words: str) -> str:
        """What virsh says to the user."""
        command = [*AS_USER, self.virsh_program, "-c", uri, *words]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=25)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def starts(self) -> list[str]:
        """What was started, in order."""
        return (self.place / "starts").read_text().splitlines()

    def wait_until_gone(self, *files: Path) -> None:
        """Wait until nobody listens or holds a pid file any more."""
        deadline = time.monotonic() + 15
        while any(file.exists() for file in files):
            assert time.monotonic() < deadline, (self.place / "log").read_text()
            time.sleep(0.05)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="vp") as path:
        yield Path(path)


@pytest.fixture(params=["9.0.0", "11.3.0"])
def tree(request: pytest.FixtureRequest) -> Path | None:
    """Where the client's libvirt is; None: installed."""
    return None if request.param == "9.0.0" else fetched_tree()


def files(place: Path, run: Path) -> list[Path]:
    """What is there while daemons live."""
    return [
        run / "libvirt-sock",
        run / "virtproxyd.pid",
        place / "behind/libvirt-sock",
        place / "behind/libvirtd.pid",
    ]


def test_qemu_session_starts_what_it_needs_and_all_of_it_ends(place: Path, tree: Path | None) -> None:
    home = Home(place, tree, XDG_RUNTIME_DIR=str(place / "run"))
    there = files(place, place / "run/libvirt")
    assert "QEMU" in home.virsh("qemu:///session", "version")
    assert home.starts() == ["virtproxyd --timeout=120", "virtqemud --timeout=120"]
    assert all(file.exists() for file in there)
    (place / "p.xml").write_text(POOL.format(place=place))
    home.virsh("qemu:///session", "pool-define", str(place / "p.xml"))
    assert "p" in home.virsh("qemu:///session", "pool-list", "--all", "--name")
    assert len(home.starts()) == 2
    home.wait_until_gone(*there)
    assert "virtproxyd ends" in (place / "log").read_text()
    assert "p" in home.virsh("qemu:///session", "pool-list", "--all", "--name")
    assert len(home.starts()) == 4
    home.wait_until_gone(*there)
    assert "Traceback" not in (place / "log").read_text()


def test_the_test_driver_needs_the_proxy_only(place: Path, tree: Path | None) -> None:
    """Without XDG_RUNTIME_DIR, sockets and pid file are in the cache directory."""
    home = Home(place, tree, timeout=1)
    assert "test" in home.virsh("test+unix:///default", "list", "--name")
    assert home.starts() == ["virtproxyd --timeout=120"]
    there = files(place, place / ".cache/libvirt")
    assert [file.exists() for file in there] == [True, True, False, False]
    home.wait_until_gone(*there)
    assert "Traceback" not in (place / "log").read_text()
