# SPDX-License-Identifier: LGPL-2.1-or-later
"""What systemd says of units, and what it is asked to do with them, through the program ``systemctl``.

``virtproxy mode`` and ``virtproxy doctor`` call it. Every call has a time limit. It must know no unit by name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from virtproxy.cli.output import CommandError

# There while systemd is the host's process 1: sd_booted(3).
BOOTED = "/run/systemd/system"
# Seconds. Stopping may wait for a daemon's last calls: systemd itself gives it 90 s.
ASK_LIMIT = 20.0
CHANGE_LIMIT = 150.0

_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "FragmentPath", "KillMode", "NeedDaemonReload", "ExecStart")
_PROGRAM = re.compile(r"\{ path=(\S+) ;")
_RUNNING = {"active", "activating", "reloading", "refreshing"}
_AT_BOOT = {"enabled", "linked", "alias"}


@dataclass(frozen=True, slots=True)
class UnitState:
    """One unit: ``active`` is what ``systemctl is-active`` says, ``file`` what ``is-enabled`` says.

    ``file`` is empty for a unit that is not installed, ``path`` where its file is; ``stale``: that changed since
    systemd read it. ``program`` is what a service runs.
    """

    name: str
    load: str = "not-found"
    active: str = "inactive"
    file: str = ""
    path: str = ""
    kill_mode: str = ""
    stale: bool = False
    program: str = ""

    @property
    def installed(self) -> bool:
        """Whether there is a file for it; a mask hides it, and counts as one."""
        return self.load not in ("not-found", "")

    @property
    def running(self) -> bool:
        return self.active in _RUNNING

    @property
    def failed(self) -> bool:
        return self.active == "failed"

    @property
    def enabled(self) -> bool:
        """Whether the next boot starts it (what is enabled at run time only is gone by then)."""
        return self.file in _AT_BOOT

    @property
    def masked(self) -> bool:
        return self.load == "masked" or self.file.startswith("masked")


class Systemctl:
    """The program, which ``here`` finds."""

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def here(cls) -> Systemctl | None:
        """Return it where systemd runs this host, else None."""
        program = shutil.which("systemctl") if os.path.isdir(BOOTED) else None
        return None if program is None else cls(program)

    def states(self, names: Iterable[str]) -> dict[str, UnitState]:
        """Return the state of each unit, in one call; raises CommandError if systemd does not answer."""
        wanted = list(names)
        done = self._call(ASK_LIMIT, "show", f"--property=Id,{','.join(_PROPERTIES)}", "--", *wanted)
        blocks = [block for block in done.stdout.split("\n\n") if block.strip()]
        if done.returncode != 0 or len(blocks) != len(wanted):
            raise CommandError(f"systemd does not say what its units do: {_reason(done)}")
        return {name: _state(name, block) for name, block in zip(wanted, blocks, strict=True)}

    def change(self, verb: str, names: Iterable[str]) -> str:
        """Run ``systemctl VERB UNITS``; return what it complains of, empty if nothing went wrong."""
        done = self._call(CHANGE_LIMIT, verb, "--", *names)
        return "" if done.returncode == 0 else _reason(done)

    def _call(self, limit: float, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._program, "--no-pager", "--no-ask-password", *arguments]
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
        try:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit, env=environment
            )
        except subprocess.TimeoutExpired:
            raise CommandError(
                f"systemctl {arguments[0]} did not end within {limit:g} s; systemctl list-jobs shows what waits"
            ) from None
        except OSError as error:
            raise CommandError(f"cannot run {self._program}: {error.strerror}") from None


def _state(name: str, block: str) -> UnitState:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    load, active, file, path, kill_mode, stale, start = (values.get(key, "") for key in _PROPERTIES)
    program = _PROGRAM.match(start)
    return UnitState(name, load, active, file, path, kill_mode, stale == "yes", program[1] if program else "")


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return "; ".join(lines[:4]) or f"systemctl ended with status {done.returncode}"
