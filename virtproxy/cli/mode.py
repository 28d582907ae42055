# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy mode``: whether the monolithic or the modular daemons are in use, and the move from one to the other.

main.py lists it. Looking is for everybody and changes nothing; ``virtproxy mode switch`` is mode_switch.py's.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from virtproxy.cli import findings, mode_mixtures, mode_switch, mode_view
from virtproxy.cli.findings import Finding
from virtproxy.cli.mode_units import MONOLITHIC, PROXY, REMOTE, daemon
from virtproxy.cli.mode_view import HostView
from virtproxy.cli.output import BOLD, paint
from virtproxy.cli.systemctl import Systemctl
from virtproxy.daemon.catalogue import DRIVERS, ROWS
from virtproxy.daemon.endpoints import backend_sockets
from virtproxy.daemon.failure import StartupError
from virtproxy.daemon.paths import SYSTEM
from virtproxy.daemon.settings import load

EXAMPLES = """\
examples:
  virtproxy mode                                   what serves each driver, now and after the next boot
  virtproxy mode --json                            the same for scripts
  virtproxy mode switch modular --dry-run          which steps lead from libvirtd to virtqemud and its like
  virtproxy mode switch modular --remote           do them, and let virtproxyd listen for TLS clients
  virtproxy mode switch --undo                     put back what was there before the last switch
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``virtproxy mode``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(act=_look)
    commands = parser.add_subparsers(metavar="switch")
    summary = "move from the one mode to the other, step by step; needs root"
    switching = commands.add_parser("switch", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    switching.set_defaults(act=mode_switch.switch)
    switching.add_argument("target", nargs="?", choices=["modular", "monolithic"], help="the mode to have")
    switching.add_argument(
        "--drivers", type=_drivers, metavar="LIST",
        help="the drivers to have a modular daemon, with commas between (default: whose daemon is installed), or none",
    )  # fmt: skip
    switching.add_argument(
        "--remote", nargs="?", const=("tls",), type=_transports, metavar="tls,tcp",
        help="listen for remote clients too, over TLS unless told otherwise; write --remote=tcp before a mode",
    )  # fmt: skip
    switching.add_argument("--dry-run", action="store_true", help="print the commands and do nothing")
    switching.add_argument("--undo", action="store_true", help="put back what was there before the last switch")


def _drivers(text: str) -> tuple[str, ...]:
    names = () if text == "none" else tuple(text.split(","))
    if unknown := [name for name in names if name not in DRIVERS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is no driver; there are {', '.join(DRIVERS)}")
    return names


def _transports(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in REMOTE]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(REMOTE)}")
    return names


def run(options: argparse.Namespace) -> int:
    """Do what was asked for and return the exit status."""
    status: int = options.act(options)
    return status


def _look(options: argparse.Namespace) -> int:
    """Show the mode; return 0, or findings' status where daemons get in each other's way."""
    view = mode_view.look(Systemctl.here())
    found = mode_mixtures.mixtures(view)
    if options.json:
        print(json.dumps(_object(view, found), indent=1))
    else:
        _show(view, found)
    return findings.status(found)


def _object(view: HostView, found: list[Finding]) -> dict[str, object]:
    return {
        "systemd": view.systemd,
        "mode": {"now": view.mode(boot=False), "boot": view.mode(boot=True)},
        "drivers": {
            driver: {"now": view.driver(driver, boot=False), "boot": view.driver(driver, boot=True)}
            for driver in DRIVERS
        },
        "backend_sockets": _behind(view),
        "daemons": {name: asdict(one) for name, one in view.daemons.items() if one.installed or one.now},
        "findings": [asdict(one) for one in found],
    }


def _show(view: HostView, found: list[Finding]) -> None:
    behind = _behind(view)
    drivers = [driver for driver in DRIVERS if driver in behind or driver in view.drivers()]
    print(paint(f"{'':12}{'now':16}after the next boot", BOLD, sys.stdout))
    print(f"{'mode':12}{view.mode(boot=False):16}{view.mode(boot=True)}")
    for driver in drivers:
        print(f"{driver:12}{_who(view, driver, boot=False):16}{_who(view, driver, boot=True)}")
        if driver in behind:
            print(f"{'':12}virtproxyd passes it on to {behind[driver]} (backend_sockets)")
    print(f"{'remote':12}{_remote(view, boot=False):16}{_remote(view, boot=True)}")
    absent = [driver for driver in DRIVERS if driver not in drivers]
    if absent:
        print(f"not installed: {', '.join(absent)}")
    if not view.systemd:
        print("systemd does not run this host: what the next boot starts is not known here")
    findings.show(found)


def _behind(view: HostView) -> dict[str, str]:
    """The sockets that virtproxyd, where it is in use, was told to find drivers at, other than the usual ones."""
    proxy = view.daemons[PROXY]
    if not proxy.now and not proxy.boot:
        return {}
    usual = SYSTEM.backend_sockets()
    try:
        settings = load(ROWS[PROXY], SYSTEM.config_file(ROWS[PROXY]), required=False)
        named = backend_sockets(settings, SYSTEM)
    except StartupError:  # which virtproxy doctor tells
        return {}
    return {driver: path for driver, path in named.items() if driver in DRIVERS and path != usual[driver]}


def _who(view: HostView, driver: str, *, boot: bool) -> str:
    names = {"monolithic": MONOLITHIC, "modular": daemon(driver), "both": "both"}
    what = view.driver(driver, boot=boot)
    return names.get(what, what)


def _remote(view: HostView, *, boot: bool) -> str:
    """Who listens for TLS or TCP clients."""
    if boot and not view.systemd:
        return mode_view.UNKNOWN
    units = [
        (name, unit)
        for name in (MONOLITHIC, PROXY)
        for unit in (f"{name}-tls.socket", f"{name}-tcp.socket")
        if unit in view.units and (view.units[unit].enabled if boot else view.units[unit].running)
    ]
    names = {name for name, _ in units}
    if not boot:
        names |= {one.daemon or one.name for found in view.listeners.tcp.values() for one in found if one.pid != 1}
        if view.listeners.tcp and not names:
            return "somebody"
    return ", ".join(sorted(names)) or mode_view.NOTHING
