# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pid files, units, programs and versions as ``virtproxy doctor`` sees them."""

from __future__ import annotations

import importlib.metadata
import os
import re
import sys
from collections.abc import Iterator

from virtproxy import __version__
from virtproxy.cli import mode_units
from virtproxy.cli.findings import ERROR, OK, WARNING, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.paths import SYSTEM
from virtproxy.daemon.pidfile import PidFile, PidFileError

# What the core needs, as setup.cfg has it, and what each extra brings.
_NEEDED = {"twisted": (22, 4), "pyopenssl": (23, 0), "service-identity": (18, 1), "cryptography": (38, 0, 4)}
_EXTRAS = {"cffi": "sasl", "jeepney": "polkit", "lxml": "policy", "prometheus-client": "metrics"}


def files(view: HostView) -> Iterator[Finding]:
    """Stale pid files, and units that cannot work."""
    found = [*_pid_files(), *_units(view)]
    if not found:
        what = "pid files and units" if view.systemd else "pid files"
        yield Finding(OK, "files", f"{what} are as they should be")
    yield from found


def _pid_files() -> Iterator[Finding]:
    for row in ROWS.values():
        path = SYSTEM.pid_file(row)
        if not os.access(path, os.R_OK):
            continue
        try:
            PidFile(path).check()
        except PidFileError:
            continue
        problem = f"no process holds it: {row.name} ended without removing it; the next start takes it over"
        yield Finding(WARNING, path, problem, f"rm {path}")


def _units(view: HostView) -> Iterator[Finding]:
    stale = [name for name, unit in view.units.items() if unit.stale]
    if stale:
        problem = f"{', '.join(stale)} changed on disk since systemd read them"
        yield Finding(WARNING, "units", problem, "systemctl daemon-reload")
    for name, daemon in view.daemons.items():
        unit = view.units.get(mode_units.service(name))
        if unit is not None and (daemon.now or daemon.boot) and unit.program and not os.path.exists(unit.program):
            sockets = " ".join(one for one in mode_units.all_units(name) if view.units[one].installed)
            yield Finding(ERROR, unit.name, f"its program {unit.program} does not exist: its clients get no answer",
                          f"install it, or systemctl disable --now {sockets}")  # fmt: skip


def versions(view: HostView) -> Iterator[Finding]:
    """What runs, what is too old, and which daemons still run a program that was replaced."""
    present = {name: _version(name) for name in (*_NEEDED, *_EXTRAS)}
    libraries = ", ".join(f"{name} {number}" for name, number in present.items() if number)
    yield Finding(OK, "versions", f"virtproxy {__version__}, Python {sys.version.split()[0]}, {libraries}")
    for name, least in _NEEDED.items():
        number = present[name]
        if number is None or _numbers(number) < least:
            wanted = ".".join(map(str, least))
            yield Finding(ERROR, name, f"{number or 'missing'}, and virtproxyd needs {wanted} or newer",
                          f"pip install '{name}>={wanted}', or the Debian package python3-{name}")  # fmt: skip
    for one in view.processes:
        if _replaced(one.pid):
            fix = f"systemctl restart {one.daemon}.service" if view.systemd else f"restart {one.daemon}"
            yield Finding(WARNING, str(one.daemon), f"process {one.pid} still runs a program that was replaced", fix)


def _replaced(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")
    except OSError:
        return False


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
