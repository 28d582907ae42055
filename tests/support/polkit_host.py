# SPDX-License-Identifier: LGPL-2.1-or-later
"""A system bus and a polkitd of a lab's own, with rules that a test writes.

Used by the conformance tests of polkit; needs root. It must touch neither the host's bus nor its rules: both are
hidden in the lab's mount namespace.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.support.lab import Daemon, Lab, wait_until

BUS = Path("/run/dbus/system_bus_socket")
RULES = Path("/etc/polkit-1/rules.d")
ASKED = Path("/run/lab/asked.jsonl")
_RECORDER = Path(__file__).parent / "polkit_recorder.py"


class PolkitHost:
    """The bus of a lab, and whoever answers as polkit on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        for directory in (RULES, Path("/usr/share/polkit-1/rules.d"), Path("/usr/share/dbus-1/system-services")):
            lab.run("mount", "-t", "tmpfs", "-o", "mode=755", "polkit", directory)
        lab.run("mkdir", "-p", BUS.parent)
        self.bus = self.start_bus()
        self.authority: Daemon | None = None

    def start_bus(self) -> Daemon:
        """Start dbus-daemon at the usual place."""
        bus = self.lab.spawn("dbus", "dbus-daemon", "--system", "--nofork", "--nopidfile", f"--address=unix:path={BUS}")
        self.lab.wait_for_socket(bus, BUS)
        return bus

    def rule(self, name: str, script: str) -> None:
        """Install the JavaScript of a rule, before polkitd starts; it replaces one of the same name."""
        source = self.lab.write(name, script)
        self.lab.run("install", "-m", "644", source, RULES / name)

    def polkitd(self) -> Daemon:
        """Start polkitd, and return when the bus knows it."""
        return self._authority("polkitd", "/usr/lib/polkit-1/polkitd", "--no-debug")

    def recorder(self, *arguments: str) -> Daemon:
        """Start a stand-in that writes down what it is asked (see polkit_recorder.py)."""
        self.lab.run("install", "-m", "666", "/dev/null", ASKED)
        command = (sys.executable, str(_RECORDER), str(ASKED), "--user", "polkitd")
        return self._authority("recorder", *command, *arguments)

    def asked(self) -> list[dict[str, Any]]:
        """What the stand-in was asked so far."""
        return [json.loads(line) for line in self.lab.outside(ASKED).read_text().splitlines()]

    def _authority(self, name: str, *argv: str) -> Daemon:
        self.authority = self.lab.spawn(name, *argv)
        wait_until(self.answers, f"{name} on the bus")
        return self.authority

    def answers(self) -> bool:
        """Whether somebody has polkit's name."""
        asked = self.lab.run(
            "dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
            "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.PolicyKit1",
        )  # fmt: skip
        return "boolean true" in asked.stdout
