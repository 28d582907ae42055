# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian that boots with systemd, in systemd-nspawn: what units, packages and a change of daemons do to a host.

Used by tests/systemd and by whoever needs a real systemd. Needs root, systemd-container and mmdebstrap; no systemd on
the host itself. What a container writes is in memory and gone with it: it must not be given a path of this host that it
could write to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SUPPORT = Path(__file__).parent
BOOT_SECONDS = 90.0
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "DEBIAN_FRONTEND": "noninteractive",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}
# The overlay is made in a mount namespace of its own, so that nothing stays mounted however the tests end. 133 is what
# systemd-nspawn --keep-unit says to whoever started it when the container wants to boot again.
_START = """
mount -t tmpfs -o mode=0755 tmpfs "$2" && mkdir "$2/upper" "$2/work" "$2/root" &&
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root" || exit 1
directory=$2; shift 2
while setpriv --pdeathsig KILL systemd-nspawn --directory="$directory/root" "$@"; [ $? = 133 ]; do :; done
"""


def debian_tree() -> Path:
    """The bare Debian 12 that containers start from, made at first use (a minute, and a network)."""
    done = subprocess.run([SUPPORT / "fetch_debian.sh"], stdout=subprocess.PIPE, check=True, text=True, timeout=1200)
    return Path(done.stdout.strip())


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_systemd(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text() == "systemd\n"
    return False


class Container:
    """One booted host; ``booted`` makes it."""

    def __init__(self, tree: Path, directory: Path, shared: Sequence[Path]) -> None:
        self._console = (directory / "console").open("w")
        place = directory / "place"
        place.mkdir()
        self._shell = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", _START, "sh", tree, place),
                *("--boot", "--register=no", "--keep-unit", "--private-network", "--console=pipe", "--quiet"),
                *(f"--machine=virtproxy-{secrets.token_hex(6)}", "--resolv-conf=off", "--timezone=off"),
                *(f"--bind-ro={path}" for path in shared),
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
        )

    @property
    def leader(self) -> int:
        """The process id of the container's systemd as this host sees it."""
        found = [pid for nspawn in _children(self._shell.pid) for pid in _children(nspawn) if _is_systemd(pid)]
        assert found, f"no systemd in the container: {Path(self._console.name).read_text()}"
        return found[0]

    def run(
        self, *command: str, stdin: str = "", check: bool = True, seconds: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the container's root; its output is text, stderr in stdout as a terminal shows them.

        AssertionError, with the output, if it fails and ``check`` is set.
        """
        enter = ["nsenter", "--target", str(self.leader), "--all", "--wdns=/root", "--"]
        done = subprocess.run(
            [*enter, *command],
            env=_ENVIRONMENT,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}"
        return done

    def sh(self, script: str, *, check: bool = True, seconds: float = 120.0) -> str:
        """Run a shell's commands there and return what they print."""
        return self.run("bash", "-c", script, check=check, seconds=seconds).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file there, with the directories above it."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, stdin=text)

    def install(self, *packages: str | Path) -> str:
        """Install Debian packages by name, or by their files' paths there; return what apt-get prints."""
        quiet = ("-o", "Dpkg::Use-Pty=0", "-o", "APT::Color=0")
        names = (str(package) for package in packages)
        return self.run("apt-get", "install", "-q", "-y", *quiet, *names, seconds=300).stdout

    def state(self, question: str, *units: str) -> str:
        """What ``systemctl is-active``, ``is-enabled`` or ``is-system-running`` says."""
        return self.run("systemctl", question, *units, check=False).stdout.strip()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Poll until it is true; AssertionError that names what was awaited."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
            time.sleep(0.1)

    def wait_booted(self) -> None:
        """Wait until systemd has started everything."""
        self.wait(self._answers, "the container's systemd", BOOT_SECONDS)
        self.run("systemctl", "is-system-running", "--wait", check=False, seconds=BOOT_SECONDS)

    def _answers(self) -> bool:
        assert self._shell.poll() is None, f"the container ended: {Path(self._console.name).read_text()}"
        with contextlib.suppress(AssertionError, OSError):
            return self.state("is-system-running") in {"initializing", "starting", "running", "degraded"}
        return False

    def reboot(self) -> None:
        """Shut down in order and boot again, with everything that was written."""
        before = self.leader
        self.run("systemctl", "reboot", check=False)
        self.wait(lambda: not Path(f"/proc/{before}").exists(), "the shutdown", BOOT_SECONDS)
        self.wait_booted()

    def close(self) -> None:
        """End everything in it at once, without an orderly shutdown."""
        with contextlib.suppress(AssertionError, OSError):
            os.kill(self.leader, signal.SIGKILL)
        try:
            self._shell.wait(20)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()
        self._console.close()


@contextlib.contextmanager
def booted(*shared: Path) -> Iterator[Container]:
    """A container that has booted, with these paths of this host readable at the same place; ended with the block."""
    tree = debian_tree()
    with tempfile.TemporaryDirectory(prefix="vpc") as directory:
        container = Container(tree, Path(directory), shared)
        try:
            container.wait_booted()
            yield container
        finally:
            container.close()
