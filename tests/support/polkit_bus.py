# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bus of a test's own, without root, with a stand-in for polkit on it.

Used by the tests of the D-Bus client and the login. It must end no other process than those it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_RECORDER = Path(__file__).parent / "polkit_recorder.py"
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_STARTING = 20.0


class PrivateBus:
    """A dbus-daemon in a directory, and the stand-in."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "bus"
        self.environ = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.socket}"}
        self.bus: subprocess.Popen[Any] | None = None
        self.authority: subprocess.Popen[Any] | None = None

    def start(self, *arguments: str) -> None:
        """Start the bus and, with these arguments, the stand-in."""
        self.start_bus()
        self.start_authority(*arguments)

    def start_bus(self) -> None:
        """Start the bus alone."""
        configuration = self.place / "bus.conf"
        configuration.write_text(_CONFIGURATION.format(socket=self.socket))
        self.socket.unlink(missing_ok=True)
        self.bus = subprocess.Popen(["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile"])
        self._wait(self.socket.exists)

    def start_authority(self, *arguments: str) -> None:
        """Start the stand-in (see polkit_recorder.py) and wait until it has its name."""
        log = self.place / "asked.jsonl"
        log.unlink(missing_ok=True)
        command = [sys.executable, str(_RECORDER), str(log), *arguments]
        self.authority = subprocess.Popen(command, env={**os.environ, **self.environ})
        self._wait(log.exists)

    def asked(self) -> list[dict[str, Any]]:
        """What the stand-in was asked so far."""
        return [json.loads(line) for line in (self.place / "asked.jsonl").read_text().splitlines()]

    @contextlib.contextmanager
    def stopped(self, process: subprocess.Popen[Any] | None) -> Iterator[None]:
        """One of the two does nothing while the block runs."""
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def kill(self, process: subprocess.Popen[Any] | None) -> None:
        """End one of the two."""
        if process is not None:
            process.kill()
            process.wait(_STARTING)

    def close(self) -> None:
        """End both."""
        self.kill(self.authority)
        self.kill(self.bus)

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + _STARTING
        while not condition():
            assert time.monotonic() < deadline, "the bus did not start"
            time.sleep(0.01)
