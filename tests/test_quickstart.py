# SPDX-License-Identifier: LGPL-2.1-or-later
"""./quickstart in a fresh clone, as a newcomer runs it: as root, as an ordinary user, with something missing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# An ordinary user without an entry in /etc/passwd: nothing of the system is changed for the test.
USER_ID = 23456
AS_USER = ("setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups")
# A network of its own, in which only loopback is.
OFFLINE = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
PORT = 16514

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def clone(place: Path) -> Path:
    """A fresh clone of what is committed."""
    # The checkout may belong to somebody else than who runs the test.
    trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    command = ["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(place / "virtproxy")]
    subprocess.run(command, env={**os.environ, **trust}, check=True)
    return place / "virtproxy"


def quickstart(
    checkout: Path, *arguments: str, before: tuple[str, ...] = (), **env: str
) -> subprocess.CompletedProcess[str]:
    ambient = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment = {**ambient, "PATH": SYSTEM_PATH, "HOME": str(checkout.parent), "VIRTPROXY_NO_APT": "1", **env}
    command = [*before, "./quickstart", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=280)


def shown(ended: subprocess.CompletedProcess[str]) -> str:
    """Return what a demonstration that went well has shown."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("was told by events: suspended, resumed") == 2
    return ended.stdout


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a start that gave up in an orderly way."""
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    return ended.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A clone in which quickstart was run once already."""
    place = Path(tempfile.mkdtemp(prefix="vp"))
    path = clone(place)
    shown(quickstart(path, "--once"))
    yield path
    shutil.rmtree(place)


@pytest.mark.programs("virsh")
def test_shows_both_clients_on_both_transports(checkout: Path) -> None:
    out = shown(quickstart(checkout, "--once"))
    assert out.count("paused (user)") == 2
    assert f"virsh -c 'test+tls://127.0.0.1:{PORT}/default?pkipath=" in out


@pytest.mark.root
@pytest.mark.programs("setpriv")
def test_as_an_ordinary_user() -> None:
    place = Path(tempfile.mkdtemp(prefix="vp"))
    path = clone(place)
    subprocess.run(["chown", "-R", f"{USER_ID}:{USER_ID}", str(place)], check=True)
    shown(quickstart(path, "--once", before=AS_USER))
    shutil.rmtree(place)


def test_port_taken(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", PORT)):
        assert f"port {PORT} of 127.0.0.1 is taken" in refused(quickstart(checkout, "--once"))


@pytest.mark.root
@pytest.mark.programs("unshare")
def test_without_network_but_set_up_before(checkout: Path) -> None:
    shown(quickstart(checkout, "--once", before=OFFLINE))


@pytest.mark.root
@pytest.mark.programs("unshare")
def test_without_network_and_nothing_set_up(tmp_path: Path) -> None:
    said = refused(
        quickstart(clone(tmp_path), "--once", before=OFFLINE, PIP_CONFIG_FILE="/dev/null", PIP_FIND_LINKS="")
    )
    assert "the package index cannot be reached. Connect this machine to the network" in said


@pytest.mark.root
@pytest.mark.programs("unshare")
def test_without_even_loopback(checkout: Path) -> None:
    said = refused(quickstart(checkout, "--once", before=("unshare", "-n")))
    assert "127.0.0.1 cannot be reached" in said


def without(program: str, place: Path) -> str:
    """Return a PATH on which everything of the system is but one program."""
    for directory in reversed(SYSTEM_PATH.split(":")):
        for found in Path(directory).iterdir() if Path(directory).is_dir() else ():
            link = place / found.name
            link.unlink(missing_ok=True)
            link.symlink_to(found)
    (place / program).unlink(missing_ok=True)
    return str(place)


def test_without_virsh(checkout: Path, tmp_path: Path) -> None:
    out = shown(quickstart(checkout, "--once", PATH=without("virsh", tmp_path)))
    assert out.count("virsh is not installed") == 2


def test_without_python(tmp_path: Path) -> None:
    said = refused(
        quickstart(clone(tmp_path), "--once", PYTHON="/nonexistent/python", PATH=without("apt-get", tmp_path))
    )
    assert "needs Python 3.11 or newer with venv and ensurepip" in said


@pytest.mark.root
@pytest.mark.programs("setpriv")
def test_in_a_clone_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    path = clone(Path(tempfile.mkdtemp(prefix="vp")))
    path.parent.chmod(0o755)
    assert "cannot write to" in refused(quickstart(path, "--once", before=AS_USER))
    shutil.rmtree(path.parent)
