# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy mode switch``: the move between monolithic and modular daemons, step by step, and back.

mode.py calls it. Each step is checked by asking systemd again. Guests are left alone: a daemon whose unit would kill
them when it stops is not stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from virtproxy.cli import guests, mode_mixtures, mode_record, mode_steps, mode_units, mode_view
from virtproxy.cli.guests import Guest
from virtproxy.cli.mode_record import Record
from virtproxy.cli.mode_steps import Step
from virtproxy.cli.mode_units import MONOLITHIC, PROXY
from virtproxy.cli.mode_view import HostView
from virtproxy.cli.output import CommandError, Narrator
from virtproxy.cli.systemctl import Systemctl, UnitState
from virtproxy.daemon.catalogue import DRIVERS, HYPERVISORS

_UNDO = "virtproxy mode switch --undo"
# What of a unit's KillMode leaves alone the processes that are not the daemon itself: guests, dnsmasq.
_SPARING = ("process", "none")

States = Mapping[str, UnitState]


def switch(options: argparse.Namespace) -> int:
    """Do what ``virtproxy mode switch`` is asked for; return 0. Raises CommandError."""
    _check(options)
    systemctl = Systemctl.here()
    if systemctl is None:
        raise CommandError(
            "systemd does not run this host, so there are no units to switch: stop the daemons of one mode and start "
            "the other's with what starts services here (virtproxy mode shows which run)"
        )
    tell = Narrator()
    if options.dry_run:
        return _dry_run(systemctl, options, tell)
    with _alone(mode_record.PATH):
        return _undo(systemctl, tell) if options.undo else _switch(systemctl, options, tell)


def _check(options: argparse.Namespace) -> None:
    if options.undo == (options.target is not None):
        raise CommandError("say modular or monolithic, or --undo: virtproxy mode switch --help")
    if options.drivers is not None and options.target != "modular":
        raise CommandError("--drivers is for modular: libvirtd serves every driver, and one daemon more is in its way")
    if options.undo and options.remote:
        raise CommandError("--remote is not for --undo, which puts back what there was")
    if os.geteuid() != 0 and not options.dry_run:
        raise CommandError("changing which daemons run needs root: use sudo; --dry-run shows the steps to anybody")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep a second switch out while one is under way."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path.with_suffix(".lock"), "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise CommandError("another virtproxy mode switch is under way; wait for its end") from None
    except OSError as error:
        raise CommandError(f"cannot write to {path.parent}: {error.strerror}") from None


def _steps(options: argparse.Namespace, states: States) -> list[Step]:
    if options.undo:
        return mode_steps.back_to(_last().before, states)
    if options.target == "monolithic":
        _check_installed((MONOLITHIC,), states)
        return mode_steps.to_monolithic(options.remote or (), states)
    drivers = _drivers(options.drivers, states)
    names = [mode_units.daemon(driver) for driver in drivers]
    _check_installed(names + ([PROXY] if options.remote else []), states)
    return mode_steps.to_modular(drivers, options.remote or (), states)


def _drivers(wanted: tuple[str, ...] | None, states: States) -> tuple[str, ...]:
    """The drivers to have a daemon; without a wish those whose daemon is installed."""
    if wanted is not None:
        return wanted
    found = tuple(driver for driver in DRIVERS if not _absent([mode_units.daemon(driver)], states))
    if not set(found) & set(HYPERVISORS):
        names = ", ".join(mode_units.daemon(driver) for driver in HYPERVISORS)
        raise CommandError(
            f"no modular daemon of a hypervisor is installed ({names}): nobody could reach the guests any more; "
            "install one, or name with --drivers what you want (--drivers none: virtproxyd alone)"
        )
    return found


def _check_installed(names: Iterable[str], states: States) -> None:
    if absent := _absent(names, states):
        raise CommandError(f"{', '.join(absent)} has no systemd units or no program on this host: install it first")


def _absent(names: Iterable[str], states: States) -> list[str]:
    """Those daemons that have no units, or whose program the service would not find."""
    programs = {name: states[mode_units.service(name)].program for name in names}
    return [
        name
        for name, program in programs.items()
        if not states[f"{name}.socket"].installed or (program and not os.path.exists(program))
    ]


def _check_units(steps: list[Step], view: HostView) -> None:
    """Refuse to leave behind a daemon that runs, but not as a unit: nobody would stop it."""
    stopped = {unit for step in steps if step.verb == "stop" for unit in step.units}
    for name, one in view.daemons.items():
        mine = mode_units.all_units(name)
        if one.now and mine[0] in stopped and not any(view.units[unit].running for unit in mine):
            raise CommandError(f"{name} {one.why}, but systemd did not start it: stop it first, nothing was changed")


def _check_remote(options: argparse.Namespace) -> None:
    """Refuse a remote socket that its daemon could not serve: it would not start, and serve nobody else either."""
    if not options.remote:
        return
    from virtproxy.cli.doctor_settings import remote_faults

    name = MONOLITHIC if options.target == "monolithic" else PROXY
    faults = remote_faults(name, options.remote)
    if faults:
        raise CommandError(f"{name} could not serve remote clients, so nothing was changed: {faults[0].problem}")


def _last() -> Record:
    record = mode_record.load(mode_record.PATH)
    if record is None:
        raise CommandError(f"there is no switch to undo: {mode_record.PATH} does not exist")
    return record


def _dry_run(systemctl: Systemctl, options: argparse.Namespace, tell: Narrator) -> int:
    view = mode_view.look(systemctl)
    states = view.units
    steps = _steps(options, states)
    todo = any(step.pending(states) for step in steps)
    pending = [
        (step, units)
        for step in (steps if todo else ())
        if (units := step.units if step.foreseen else step.pending(states))
    ]
    for step, units in pending:
        tell.line(f"systemctl {step.verb} {mode_steps.brief(units)}    # {step.why}")
    if not pending:
        tell.line("# nothing to do: the units are as they should be")
    for note in _notes(options, view):
        tell.line(f"# {note}")
    return 0


def _switch(systemctl: Systemctl, options: argparse.Namespace, tell: Narrator) -> int:
    view = mode_view.look(systemctl)
    states = view.units
    steps = _steps(options, states)
    if not any(step.pending(states) for step in steps):
        tell.line(f"nothing to do: this host is {options.target} already, now and after the next boot")
        return 0
    _check_remote(options)
    _check_units(steps, view)
    before = guests.running()
    _check_spared(steps, states, before)
    record = _begin(options.target, steps, states)
    tell.line(f"switching to {options.target} daemons; {_UNDO} puts back what there is now")
    _carry_out(systemctl, steps, tell)
    record.done().save(mode_record.PATH)
    _guests_left(before, tell)
    found = mode_mixtures.mixtures(mode_view.look(systemctl))
    for note in (*_notes(options, view), *(f"{one.about}: {one.problem}" for one in found)):
        tell.note(note)
    return 0


def _undo(systemctl: Systemctl, tell: Narrator) -> int:
    record = _last()
    states = systemctl.states(mode_units.every_unit())
    steps = mode_steps.back_to(record.before, states)
    before = guests.running()
    _check_spared(steps, states, before)
    tell.line(f"undoing the switch to {record.target} daemons of {record.began}")
    _carry_out(systemctl, steps, tell)
    mode_record.forget(mode_record.PATH)
    _guests_left(before, tell)
    return 0


def _begin(target: str, steps: list[Step], states: States) -> Record:
    """Record how every unit of the steps is, before any of them changes."""
    touched = {unit for step in steps for unit in step.units}
    before = {unit: state for unit, state in states.items() if unit in touched}
    earlier = mode_record.load(mode_record.PATH)
    if earlier is not None and not earlier.finished:
        # A switch that broke off: undoing goes back to before that one.
        before.update(earlier.before)
    began = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = Record(target, began, before)
    record.save(mode_record.PATH)
    return record


def _carry_out(systemctl: Systemctl, steps: list[Step], tell: Narrator) -> None:
    for step in steps:
        units = step.pending(systemctl.states(step.units)) if step.units else ()
        if not units:
            continue
        complaint = systemctl.change(step.verb, units)
        left = step.pending(systemctl.states(step.units))
        if left:
            raise CommandError(
                f"systemctl {step.verb} {mode_steps.brief(units)} did not do it for {', '.join(left)}: "
                f"{complaint or 'it reported no error'}; mend that and repeat the command, or go back with {_UNDO}"
            )
        tell.done(f"{step.verb:8}{mode_steps.brief(units)}")


def _check_spared(steps: list[Step], states: States, running: set[Guest]) -> None:
    """Refuse to stop a service that would take guests with it."""
    stopped = {unit for step in steps if step.verb == "stop" for unit in step.pending(states)}
    for name in sorted(stopped):
        state = states[name]
        its = {guest for guest in running if guest.is_of(name)}
        if its and state.kill_mode not in ("", *_SPARING):
            raise CommandError(
                f"{name} has KillMode={state.kill_mode}: stopping it could kill {guests.listed(its)}; give it "
                f"KillMode=process (systemctl edit {name}) or shut the guests down first"
            )


def _guests_left(before: set[Guest], tell: Narrator) -> None:
    lost = before - guests.running()
    if lost:
        tell.note(f"ended in the meantime: {guests.listed(lost)}")
    kept = before - lost
    tell.done(f"guests left alone: {guests.listed(kept)}" if kept else "guests left alone: none runs")


def _notes(options: argparse.Namespace, view: HostView) -> Iterator[str]:
    """Say what the switch takes away and does not put back; ``view`` is of before."""
    states = view.units
    leaving = {"modular": MONOLITHIC, "monolithic": PROXY}.get(options.target)
    if leaving is None:
        return
    remote = [
        each for each in mode_units.REMOTE
        if states[f"{leaving}-{each}.socket"].running or states[f"{leaving}-{each}.socket"].enabled
    ]  # fmt: skip
    lost = [each for each in remote if each not in (options.remote or ())]
    if lost:
        what = " and ".join(each.upper() for each in lost)
        yield f"{leaving} listened for {what} clients; to serve them: --remote {','.join(remote)}"
    if options.target == "modular":
        kept = _drivers(options.drivers, states)
        gone = [one for one in DRIVERS if view.driver(one, boot=False) == "monolithic" and one not in kept]
        if gone:
            names = ", ".join(gone)
            yield f"libvirtd served {names} too, and nobody does after this: no daemon chosen or installed"
