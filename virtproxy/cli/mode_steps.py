# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps from one mode to the other, in the order that libvirt documents, and those back to what was before.

mode_switch.py carries them out. A step names every unit it is about; what is in its state already is left out when
its turn comes, so that a switch can be repeated. Nothing is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from virtproxy.cli import mode_units
from virtproxy.cli.mode_units import COMPANIONS, MONOLITHIC, PROXY, all_units, local_sockets, remote_sockets, service
from virtproxy.cli.systemctl import UnitState
from virtproxy.daemon.catalogue import DRIVERS

# Where an administrator's own units are: a mask would have to take the place of such a file.
_ADMINISTRATOR = "/etc/systemd/system/"


@dataclass(frozen=True, slots=True)
class Step:
    """``systemctl VERB UNITS``; ``why`` is for people."""

    verb: str
    units: tuple[str, ...]
    why: str
    # What an earlier step brings about, though it is not so yet.
    foreseen: bool = False

    def pending(self, states: Mapping[str, UnitState]) -> tuple[str, ...]:
        """The units that are not yet as this step wants them."""
        return tuple(unit for unit in self.units if not _reached(self.verb, states[unit]))


def brief(units: Iterable[str]) -> str:
    """Write units as a shell takes them, a daemon's sockets together: virtqemud{,-ro,-admin}.socket."""
    words: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        stem, _, kind = unit.rpartition(".")
        name, dash, suffix = stem.partition("-")
        words.setdefault((name, kind), []).append(dash + suffix)
    return " ".join(
        f"{name}{suffixes[0]}.{kind}" if len(suffixes) == 1 else f"{name}{{{','.join(suffixes)}}}.{kind}"
        for (name, kind), suffixes in words.items()
    )


def _reached(verb: str, state: UnitState) -> bool:
    if verb == "stop":
        return not state.running
    if verb == "start":
        return state.running
    if verb == "disable":
        return not state.file.startswith("enabled")
    if verb == "enable":
        return state.enabled or state.file in ("static", "indirect", "generated")
    if verb == "mask":
        return state.masked or not state.installed or state.path.startswith(_ADMINISTRATOR)
    return not state.masked


def to_modular(drivers: Iterable[str], remote: tuple[str, ...], states: Mapping[str, UnitState]) -> list[Step]:
    """The steps from libvirtd to the daemons of ``drivers`` and virtproxyd; ``remote`` of "tls" and "tcp"."""
    names = [mode_units.daemon(driver) for driver in drivers]
    names += [PROXY] if states[f"{PROXY}.socket"].installed else []
    return [*_leave((MONOLITHIC,), states), *_enter(names, remote, states)]


def to_monolithic(remote: tuple[str, ...], states: Mapping[str, UnitState]) -> list[Step]:
    """The steps from the modular daemons, all of them, to libvirtd."""
    names = [*(mode_units.daemon(driver) for driver in DRIVERS), PROXY]
    return [*_leave(names, states), *_enter([MONOLITHIC], remote, states)]


def _leave(names: Iterable[str], states: Mapping[str, UnitState]) -> list[Step]:
    units = tuple(unit for name in names for unit in all_units(name) if states[unit].installed or states[unit].running)
    kept = tuple(unit for unit in COMPANIONS if states[unit].enabled)
    return [
        Step("stop", units, "in one go, or a socket would start its service again"),
        Step("disable", units, "not at the next boot"),
        Step("enable", kept, "guests need them, and disabling libvirtd takes them along", foreseen=True),
        Step("mask", units, "not by accident either"),
    ]


def _enter(names: Iterable[str], remote: tuple[str, ...], states: Mapping[str, UnitState]) -> list[Step]:
    names = list(names)
    sockets = tuple(unit for name in names for unit in (*local_sockets(name), *remote_sockets(name, remote)))
    services = tuple(service(name) for name in names)
    # systemd adds no socket to a service that runs: it has to be started anew with all of them.
    again = tuple(
        service(name)
        for name in names
        if states[service(name)].running
        and not all(states[unit].running for unit in (*local_sockets(name), *remote_sockets(name, remote)))
    )
    return [
        Step("unmask", (*services, *sockets), "they may run again"),
        Step("enable", (*services, *sockets), "at the next boot"),
        Step("stop", again, "a service takes its sockets when it starts; the first client starts it again"),
        Step("start", sockets, "the first client starts the service"),
    ]


def back_to(before: Mapping[str, UnitState], states: Mapping[str, UnitState]) -> list[Step]:
    """The steps from ``states`` to what was ``before``; both have the same units."""
    # Not for units whose file has gone since: nobody can enable or start those.
    alive = {name: was for name, was in before.items() if states[name].installed or states[name].masked}

    def those(wanted: list[bool]) -> tuple[str, ...]:
        return tuple(name for name, keep in zip(alive, wanted, strict=True) if keep)

    was = list(alive.values())
    sockets = [name.endswith(".socket") for name in alive]
    running, enabled, masked = ([getattr(one, what) for one in was] for what in ("running", "enabled", "masked"))
    return [
        Step("stop", those([not one for one in running]), "they did not run before"),
        Step("disable", those([not one for one in enabled]), "they were not enabled before"),
        Step("unmask", those([not one for one in masked]), "they were not masked before"),
        Step("enable", those(enabled), "they were enabled before"),
        Step("mask", those(masked), "they were masked before"),
        Step("start", those([r and s for r, s in zip(running, sockets, strict=True)]), "they listened before"),
        Step("start", those([r and not s for r, s in zip(running, sockets, strict=True)]), "they ran before"),
    ]
