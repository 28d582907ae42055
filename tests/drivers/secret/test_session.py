# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user's own virtsecretd: the session's URI, files and token, with virsh, and killed in the middle of changes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon_process import DaemonProcess

pytestmark = [pytest.mark.programs("virsh"), pytest.mark.timeout(90)]
UUID = "11111111-2222-3333-4444-555555555555"
COMMAND = (sys.executable, "-W", "error", "-m", "virtproxy.cli.daemons", "virtsecretd")
# A user who is not root, whose daemon is a session's and lets nobody else in.
AS_USER = ("setpriv", "--reuid=nobody", "--clear-groups")


class User:
    """A home directory with a daemon."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "run").mkdir(mode=0o700)
        shutil.chown(home, "nobody")
        shutil.chown(home / "run", "nobody")
        self.start()

    def start(self) -> None:
        """Start the daemon and wait until it is ready."""
        self.daemon = DaemonProcess(self.home, ["-v"], (*AS_USER, *COMMAND))
        self.daemon.wait_for("is ready")

    def virsh(self, *words: str, path: str = "/session") -> str:
        """What the user's virsh says, with its status."""
        uri = f"secret+unix://{path}?socket={self.home}/run/libvirt/virtsecretd-sock"
        command = [*AS_USER, "virsh", "-c", uri, *words]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20, check=False,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        return f"{done.stdout.strip()} {done.returncode}"


@pytest.fixture
def user() -> Iterator[User]:
    """One whose daemon runs."""
    home = Path(tempfile.mkdtemp(prefix="vp"))
    made = User(home)
    yield made
    made.daemon.stop(signal.SIGKILL)
    shutil.rmtree(home)


@pytest.mark.root
def test_a_user_has_secrets_of_their_own_that_survive_a_kill(user: User) -> None:
    document = user.home / "secret.xml"
    document.write_text(f"<secret><uuid>{UUID}</uuid></secret>")
    assert user.virsh("secret-define", str(document)) == f"Secret {UUID} created 0"
    assert user.virsh("secret-set-value", UUID, "--file", str(document), "--plain") == "Secret value set 0"
    user.daemon.stop(signal.SIGKILL)
    user.start()
    assert user.virsh("secret-get-value", UUID, "--plain") == f"{document.read_text()} 0"
    secrets = user.home / ".config" / "libvirt" / "secrets"
    assert sorted(path.name for path in secrets.iterdir()) == [f"{UUID}.base64", f"{UUID}.xml"]
    assert {oct(path.stat().st_mode & 0o777) for path in secrets.iterdir()} == {"0o600"}
    assert {path.owner() for path in (secrets, *secrets.iterdir())} == {"nobody"}


@pytest.mark.root
def test_a_session_is_no_system(user: User) -> None:
    said = user.virsh("secret-list", path="/system")
    assert "unexpected secret URI path '/system', try secret:///session" in said
