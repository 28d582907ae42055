# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scripted ``systemctl``: a program that keeps a table of units in a file, for a host without systemd.

It knows the verbs that virtproxy uses and the rules that matter there: a mask, ``Also=``, and units that refuse. It
keeps nothing running. How systemd itself takes the same commands is seen in a container (tests/systemd).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class ScriptedSystemctl:
    """The program ``systemctl`` in ``directory``; ``units`` are what it knows."""

    directory: Path
    units: dict[str, dict[str, str]] = field(default_factory=dict)

    def install(self, *names: str, active: str = "inactive", file: str = "disabled", **more: str) -> None:
        """Let there be these units."""
        for name in names:
            self.units[name] = {"load": "loaded", "active": active, "file": file, "kill_mode": "process", **more}
        self.write()

    def write(self) -> None:
        """Make the program and its table."""
        (self.directory / "units.json").write_text(json.dumps(self.units))
        program = self.directory / "systemctl"
        # Without site packages: it is started often.
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {__file__} {self.directory} "$@"\n')
        program.chmod(0o755)

    def read(self) -> dict[str, dict[str, str]]:
        """Return what has become of the units."""
        self.units = json.loads((self.directory / "units.json").read_text())
        return self.units

    @property
    def calls(self) -> list[str]:
        """The changes it was asked for, one a line."""
        log = self.directory / "calls"
        return log.read_text().splitlines() if log.exists() else []


def _shown(units: Mapping[str, Mapping[str, str]], names: list[str]) -> str:
    nothing = {"load": "not-found", "active": "inactive", "file": ""}
    blocks = []
    for name in names:
        unit = {**nothing, **units.get(name, {})}
        load = "masked" if unit["file"] == "masked" else unit["load"]
        blocks.append(
            f"Id={name}\nLoadState={load}\nActiveState={unit['active']}\nUnitFileState={unit['file']}\n"
            f"FragmentPath={unit.get('path', '')}\nKillMode={unit.get('kill_mode', '')}\nNeedDaemonReload=no\n"
        )
    return "\n".join(blocks)


def _change(units: dict[str, dict[str, str]], verb: str, name: str) -> str:
    unit = units.get(name)
    if unit is None:
        return f"Unit {name} could not be found."
    if verb in unit.get("refuses", "").split():
        return f"Job for {name} failed."
    if verb in ("start", "enable") and unit["file"] == "masked":
        return f"Unit {name} is masked."
    if verb == "mask":
        unit["below"] = unit["file"]
    new = {"enable": "enabled", "disable": "disabled", "mask": "masked", "unmask": unit.get("below", "disabled")}
    if verb in ("start", "stop"):
        unit["active"] = "active" if verb == "start" else "inactive"
    elif verb != "unmask" or unit["file"] == "masked":
        unit["file"] = new[verb]
    for other in unit.get("also", "").split() if verb in ("enable", "disable") else ():
        units[other]["file"] = new[verb]
    return ""


def answer(directory: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Return what systemctl answers to this command line, and do it."""
    units: dict[str, Any] = json.loads((directory / "units.json").read_text())
    verb, *names = [word for word in words if not word.startswith("--")]
    if verb == "show":
        return subprocess.CompletedProcess(words, 0, _shown(units, names), "")
    with (directory / "calls").open("a") as log:
        log.write(f"{verb} {' '.join(names)}\n")
    problems = [problem for name in names if (problem := _change(units, verb, name))]
    (directory / "units.json").write_text(json.dumps(units))
    return subprocess.CompletedProcess(words, 1 if problems else 0, "", "\n".join(problems))


if __name__ == "__main__":
    answered = answer(Path(sys.argv[1]), sys.argv[2:])
    print(answered.stdout)
    print(answered.stderr, file=sys.stderr)
    sys.exit(answered.returncode)
