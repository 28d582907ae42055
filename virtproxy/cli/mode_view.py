# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which daemons serve which driver on this host, now and after the next boot.

``virtproxy mode``, the switch and ``virtproxy doctor`` look through it. It reads systemd's units, where there is a
systemd, and who listens on the sockets, and changes nothing.
"""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from virtproxy.cli import listening, mode_units
from virtproxy.cli.listening import Listeners, Process
from virtproxy.cli.mode_units import MONOLITHIC, PROXY
from virtproxy.cli.systemctl import Systemctl, UnitState
from virtproxy.daemon.catalogue import DRIVERS, ROWS
from virtproxy.daemon.paths import SYSTEM
from virtproxy.daemon.units import PORTS

# What serves a driver, or the whole host.
NOTHING, MODULAR, BOTH, UNKNOWN = "none", "modular", "both", "unknown"
MIXED = "mixed"
# Where distributions put the drivers of the C libvirtd, and what libvirt calls xen's.
_MODULES = ("/usr/lib/*/libvirt/connection-driver", "/usr/lib64/libvirt/connection-driver")
_MODULE_NAMES = {"xen": "libxl"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look; other than this host's own places in tests only."""

    run_dir: str = SYSTEM.run_dir
    proc: str = "/proc"
    modules: tuple[str, ...] = _MODULES


@dataclass(frozen=True, slots=True)
class DaemonView:
    """One daemon. ``boot`` is None where nobody can say: this host is not started by systemd."""

    name: str
    installed: bool
    now: bool
    boot: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class HostView:
    """The whole host. ``units`` is empty without systemd; ``modules`` None where libvirtd's drivers are not known."""

    systemd: bool
    daemons: Mapping[str, DaemonView]
    units: Mapping[str, UnitState]
    listeners: Listeners
    processes: tuple[Process, ...] = ()
    modules: frozenset[str] | None = None
    place: Place = field(default_factory=Place)

    def driver(self, driver: str, *, boot: bool) -> str:
        """What serves a driver: libvirtd, its modular daemon, both or none; unknown for a boot without systemd."""
        if boot and not self.systemd:
            return UNKNOWN
        monolithic = self._on(MONOLITHIC, boot) and (self.modules is None or driver in self.modules)
        modular = self._on(mode_units.daemon(driver), boot)
        if monolithic and modular:
            return BOTH
        return "monolithic" if monolithic else MODULAR if modular else NOTHING

    def mode(self, *, boot: bool) -> str:
        """The host's mode: monolithic, modular, mixed, none or unknown."""
        if boot and not self.systemd:
            return UNKNOWN
        monolithic = self._on(MONOLITHIC, boot)
        modular = any(self._on(name, boot) for name in mode_units.modular_daemons())
        if monolithic and modular:
            return MIXED
        return "monolithic" if monolithic else MODULAR if modular else NOTHING

    def drivers(self) -> list[str]:
        """The drivers that some installed daemon has, in the catalogue's order."""
        whole = self.daemons[MONOLITHIC]
        inside = (self.modules if self.modules is not None else DRIVERS) if whole.installed or whole.now else ()
        return [
            each
            for each in DRIVERS
            if each in inside or (one := self.daemons[mode_units.daemon(each)]).installed or one.now
        ]

    def _on(self, name: str, boot: bool) -> bool:
        view = self.daemons[name]
        return bool(view.boot) if boot else view.now


def look(systemctl: Systemctl | None, place: Place | None = None) -> HostView:
    """Look at this host. Raises CommandError if systemd is there and does not answer."""
    place = place or Place()
    units = systemctl.states(mode_units.every_unit()) if systemctl else {}
    paths = [path for row in ROWS.values() for path in mode_units.socket_files(row, place.run_dir).values()]
    listeners = listening.look(paths, PORTS.values(), place.proc)
    processes = tuple(listening.running_daemons(place.proc))
    daemons = {name: _daemon(name, units, listeners, processes, place) for name in ROWS}
    return HostView(systemctl is not None, daemons, units, listeners, processes, _modules(place), place)


def _daemon(
    name: str, units: Mapping[str, UnitState], listeners: Listeners, processes: tuple[Process, ...], place: Place
) -> DaemonView:
    mine = [units[unit] for unit in mode_units.all_units(name) if unit in units]
    running = next((unit.name for unit in mine if unit.running), None)
    listens = _listens(name, listeners, processes, place)
    # Where systemd is, a program that pip installed is nobody's daemon before it has units.
    installed = any(unit.installed for unit in mine) if units else shutil.which(name, path=_search_path()) is not None
    boot = any(unit.enabled for unit in mine) if units else None
    why = f"{running} is active" if running else listens
    return DaemonView(name, installed, bool(why), boot, why)


def _listens(name: str, listeners: Listeners, processes: tuple[Process, ...], place: Place) -> str:
    """Say where a daemon listens, empty if it does not; libvirt-sock belongs to whoever holds it."""
    row = ROWS[name]
    path = mode_units.socket_files(row, place.run_dir)["rw"]
    if path not in listeners.unix:
        return ""
    known = listeners.daemons_at(path)
    if not listeners.unix[path]:
        # Who may not see whose socket it is goes by which of the two runs.
        known = {one.daemon for one in processes if one.daemon}
    mine = name in known if row.listens_on_network else True
    return f"listens on {path}" if mine else ""


def _search_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def _modules(place: Place) -> frozenset[str] | None:
    """The drivers that the C libvirtd can load; None where its modules are not found."""
    for pattern in place.modules:
        for directory in glob.glob(pattern):
            return frozenset(
                driver
                for driver in DRIVERS
                if os.path.exists(f"{directory}/libvirt_driver_{_MODULE_NAMES.get(driver, driver)}.so")
            )
    return None


__all__ = [
    "BOTH", "MIXED", "MODULAR", "MONOLITHIC", "NOTHING", "PROXY", "UNKNOWN", "DaemonView", "HostView", "Place", "look",
]  # fmt: skip
