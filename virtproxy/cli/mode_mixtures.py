# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mixtures of daemons that get in each other's way, and whom a client reaches then.

``virtproxy mode`` and ``virtproxy doctor`` show what it finds. It judges a HostView and looks at nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.cli import mode_units
from virtproxy.cli.findings import ERROR, UNSEEN, WARNING, Finding
from virtproxy.cli.mode_units import MONOLITHIC, PROXY
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon.catalogue import HYPERVISORS, SECONDARIES

_CHOOSE = "virtproxy mode switch modular, or virtproxy mode switch monolithic"


def mixtures(view: HostView) -> list[Finding]:
    """Everything that is wrong with the daemons in use, now and after the next boot."""
    found = [*_both_now(view), *_failed(view), *_half_masked(view)]
    if view.systemd:
        found += [*_both_at_boot(view), *_gone_after_boot(view)]
    found += [*_without_secondaries(view, boot=False), *_remote_without_local(view)]
    if not view.listeners.complete and view.listeners.unix and not view.systemd:
        found.append(
            Finding(UNSEEN, "sockets", "only root sees which process listens on a socket", "run this command as root")
        )
    return found


def _modular(view: HostView, *, boot: bool) -> list[str]:
    views = (view.daemons[name] for name in mode_units.modular_daemons())
    return [one.name for one in views if (one.boot if boot else one.now)]


def _both_now(view: HostView) -> Iterator[Finding]:
    if not view.daemons[MONOLITHIC].now:
        return
    drivers = [name for name in _modular(view, boot=False) if name != PROXY]
    if drivers:
        names = ", ".join(drivers)
        # The client library looks for the driver's own socket first, for libvirt-sock only without one.
        yield Finding(
            ERROR, "now",
            f"libvirtd and {names} both run: a client of this host reaches its driver's own daemon (it looks for "
            "virtqemud-sock before libvirt-sock), a client over TLS, TCP or an empty "
            "URI reaches libvirtd; both lay hands on the same guests",
            _CHOOSE,
        )  # fmt: skip
    if view.daemons[PROXY].now:
        yield Finding(
            ERROR, "now",
            "libvirtd and virtproxyd both run, and both want libvirt-sock: the one that started last has it",
            _CHOOSE,
        )  # fmt: skip


def _both_at_boot(view: HostView) -> Iterator[Finding]:
    modular = _modular(view, boot=True)
    if view.daemons[MONOLITHIC].boot and modular:
        on = [unit for unit in mode_units.all_units(MONOLITHIC) if view.units[unit].enabled]
        yield Finding(
            ERROR, "next boot",
            f"{', '.join(on)} and the units of {', '.join(modular)} are both enabled: their sockets exclude "
            "each other, so systemd starts some and drops the others, and which is not defined",
            _CHOOSE,
        )  # fmt: skip


def _gone_after_boot(view: HostView) -> Iterator[Finding]:
    for one in view.daemons.values():
        if one.now and not one.boot:
            sockets = [unit for unit in mode_units.local_sockets(one.name) if view.units[unit].installed]
            fix = f"systemctl enable {' '.join(sockets)}" if sockets else "install its systemd units"
            yield Finding(WARNING, "next boot", f"{one.name} serves now and will not after the next boot", fix)


def _failed(view: HostView) -> Iterator[Finding]:
    for name in view.daemons if view.units else ():
        mine = mode_units.all_units(name)
        failed = [unit for unit in mine if view.units[unit].failed]
        # What is not wanted any more may have failed.
        if failed and view.daemons[name].boot:
            sockets = [unit for unit in mine[1:] if view.units[unit].enabled]
            start = f" && systemctl start {' '.join(sockets or mine[:1])}"
            yield Finding(
                ERROR, name, f"{', '.join(failed)} failed: its clients get no answer; see journalctl -u {mine[0]}",
                f"systemctl reset-failed {' '.join(failed)}{start}",
            )  # fmt: skip


def _half_masked(view: HostView) -> Iterator[Finding]:
    for name, one in view.daemons.items():
        units = view.units
        if not units or not units[mode_units.service(name)].masked:
            continue
        live = [unit for unit in mode_units.all_units(name)[1:] if units[unit].running or units[unit].enabled]
        if live:
            yield Finding(
                ERROR, name,
                f"{mode_units.service(name)} is masked, but {', '.join(live)} would start it: clients get no answer",
                f"systemctl unmask {mode_units.service(name)}, or systemctl disable --now {' '.join(live)}",
            )  # fmt: skip
        elif one.now and not one.why.endswith("active"):
            yield Finding(
                WARNING, name, f"{mode_units.service(name)} is masked, but somebody started it by hand: it {one.why}"
            )


def _without_secondaries(view: HostView, *, boot: bool) -> Iterator[Finding]:
    served = {driver: view.driver(driver, boot=boot) for driver in (*HYPERVISORS, *SECONDARIES)}
    hypervisors = [driver for driver in HYPERVISORS if served[driver] == "modular"]
    # Only those whose daemon is there can be asked for: a host need not have them all.
    missing = [
        mode_units.daemon(driver)
        for driver in SECONDARIES
        if served[driver] == "none" and view.daemons[mode_units.daemon(driver)].installed
    ]
    if hypervisors and missing:
        sockets = " ".join(f"{name}.socket" for name in missing)
        yield Finding(
            WARNING, "now",
            f"{mode_units.daemon(hypervisors[0])} runs without {', '.join(missing)}: what guests need of them fails",
            f"systemctl enable --now {sockets}",
        )  # fmt: skip


def _remote_without_local(view: HostView) -> Iterator[Finding]:
    for name in (MONOLITHIC, PROXY) if view.units else ():
        remote = [unit for unit in mode_units.remote_sockets(name) if view.units[unit].enabled]
        main = mode_units.local_sockets(name)[0]
        if remote and not view.units[main].enabled and not view.units[mode_units.service(name)].enabled:
            yield Finding(
                WARNING, "next boot", f"{', '.join(remote)} is enabled without {main}, which it depends on",
                f"systemctl enable {main}",
            )  # fmt: skip
