# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virtproxyd as a process of its own, on sockets and ports of its own.

Used by the tests of the daemon's start and of what needs a whole daemon. It must be ended by ``stop``, and ends
no other process.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-W", "error", "-m", "virtproxy.cli.daemons", "virtproxyd")
TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
STARTING = 20.0


def environment(place: Path, **more: str) -> dict[str, str]:
    """The variables of a daemon that must not find the developer's own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    places = {"HOME": str(place), "XDG_RUNTIME_DIR": str(place / "run"), "PYTHONPATH": str(ROOT)}
    return kept | places | more


def configuration(place: Path, text: str = "") -> Path:
    """A file whose sockets are in ``place``, with ``text`` below."""
    path = place / "d.conf"
    path.write_text(f'unix_sock_dir = "{place}"\n{text}')
    return path


class DaemonProcess:
    """A daemon that was started with ``arguments``, and its output so far in a file."""

    running: ClassVar[list[DaemonProcess]] = []

    def __init__(
        self,
        place: Path,
        arguments: Sequence[str],
        command: Sequence[str] = COMMAND,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.place = place
        self.output = place / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(place) if environ is None else environ,
                cwd=place,
            )
        self.running.append(self)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def said(self) -> str:
        """What it has written."""
        return self.output.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until its output has ``pattern``; AssertionError if it ends or takes too long before."""
        deadline = time.monotonic() + STARTING
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            found = re.search(pattern, self.said())
            if found is not None:
                return found
            if ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"no {pattern!r} in:\n{self.said()}")

    def ports(self) -> list[int]:
        """The TCP ports it says it listens on, in the order of its listeners."""
        self.wait_for("is ready")
        return [int(port) for port in re.findall(r"listens on t(?:cp|ls) \S+:(\d+)", self.said())]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STARTING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end:\n{self.said()}") from None
        finally:
            self.running.remove(self)

    @classmethod
    def end_all(cls, place: Path) -> None:
        """End what a failed test left running in its directory."""
        for daemon in [daemon for daemon in cls.running if daemon.place == place]:
            daemon.stop(signal.SIGKILL)
