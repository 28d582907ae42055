# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy install``: lays down what a host needs to run the daemons, and removes it again.

The tool's main calls it. Units, configuration files, polkit's actions and the set-up of SASL; not the programs
themselves, which pip or a package installs. It starts and stops nothing: it says the commands that do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import sysconfig
from collections.abc import Sequence

from virtproxy.cli.install_files import (
    Action,
    Step,
    daemon_pieces,
    others_remain,
    shared_pieces,
    steps_to_install,
    steps_to_remove,
)
from virtproxy.cli.install_write import WRITES, carry_out
from virtproxy.cli.output import GREEN, YELLOW, CommandError, paint
from virtproxy.daemon import units
from virtproxy.daemon.catalogue import ROWS, Row
from virtproxy.daemon.drivers import all_rows

UNIT_DIR = "/usr/local/lib/systemd/system"
# Of the others an administrator says which, as each takes something over from whoever served it so far.
DEFAULT = "virtproxyd"
EXAMPLES = """\
examples:
  virtproxy install --dry-run                       say what it would do
  virtproxy install                                 as root: virtproxyd's units, configuration, polkit, SASL
  virtproxy install --daemons virtproxyd,virtsecretd,virtstoraged
                                                    and the daemons of these drivers
  virtproxy install --remove                        and away with them
  virtproxy install --root debian/tmp --unit-dir /usr/lib/systemd/system --bin-dir /usr/sbin
                                                    into the tree of a package
  virtproxy install --root /tmp/t --daemons all     the files of all thirteen daemons, to look at

A configuration file that was changed is never written over: the new one is put beside it as FILE.new.
A unit or a polkit file that is not virtproxy's is left as it is.

exit status: 0 it is done, 1 it could not be (then nothing was written)
"""
_SAID: dict[Action, str] = {
    "write": "written",
    "replace": "replaced",
    "same": "as it should be",
    "beside": "written beside the one that is there, which differs",
    "foreign": "is not virtproxy's, and stays as it is",
    "remove": "removed",
    "keep": "is not as virtproxy wrote it, and stays",
    "absent": "is not there",
}
_WOULD: dict[Action, str] = {
    "write": "would be written",
    "replace": "would be replaced",
    "beside": "would be written beside the one that is there, which differs",
    "remove": "would be removed",
}
# Where systemd has links to the sockets that are enabled.
_WANTED = "etc/systemd/system/sockets.target.wants"
_ODD = frozenset({"beside", "foreign", "keep"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--root", default="/", metavar="DIR", help="the root of the tree to install into (/)")
    parser.add_argument(
        "--daemons",
        metavar="NAMES",
        default=DEFAULT,
        help=f"whose files, as names with commas between, or all ({DEFAULT}; with drivers of this version there are "
        f"{', '.join(name for name, row in ROWS.items() if row.served and name != DEFAULT)}, and those of packages "
        "that bring a driver)",
    )
    parser.add_argument("--unit-dir", default=UNIT_DIR, metavar="DIR", help=f"where units go ({UNIT_DIR})")
    parser.add_argument(
        "--bin-dir", metavar="DIR", help=f"where the daemons' programs are ({units.PROGRAMS}, or beside this one)"
    )
    parser.add_argument("--remove", action="store_true", help="remove what is there of it, and was not changed")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument("--json", action="store_true", help="print a JSON array with an object for each file")


def run(options: argparse.Namespace) -> int:
    """Install or remove; return the exit status."""
    root = os.path.realpath(options.root)
    if options.remove and not os.path.isdir(root):
        raise CommandError(f"there is no directory {root}")
    for name in ("unit_dir", "bin_dir"):
        value = getattr(options, name)
        if value is not None and not os.path.isabs(value):
            option = f"--{name.replace('_', '-')}"
            raise CommandError(f"{option} must be an absolute path as seen from the root, not {value!r}")
    rows = _rows(options.daemons)
    programs = {row.name: options.bin_dir or _programs(root, row) for row in rows}
    steps = _steps(root, rows, programs, options)
    if not options.dry_run:
        carry_out(root, steps)
    if options.json:
        print(json.dumps([{"path": step.path, "action": step.action} for step in steps], indent=1))
        return 0
    _report(steps, options.dry_run)
    _say_what_next(root, rows, programs, options)
    return 0


def _rows(names: str) -> list[Row]:
    rows = all_rows()
    if names == "all":
        return list(rows.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in rows]
    if unknown or not wanted:
        which = f"there is no daemon {unknown[0]!r}" if unknown else "--daemons names none"
        raise CommandError(f"{which}; they are {', '.join(rows)}, or all")
    return [rows[name] for name in dict.fromkeys(wanted)]


def _programs(root: str, row: Row) -> str:
    """Where the daemon's program is: beside this tool, where pip put both, unless the system has one."""
    scripts = sysconfig.get_path("scripts")
    in_system = root != "/" or os.path.exists(os.path.join(units.PROGRAMS, row.name))
    return scripts if not in_system and os.path.exists(os.path.join(scripts, row.name)) else units.PROGRAMS


def _steps(root: str, rows: Sequence[Row], programs: dict[str, str], options: argparse.Namespace) -> list[Step]:
    pieces = daemon_pieces(rows, options.unit_dir, programs)
    if not options.remove:
        return steps_to_install(root, [*pieces, *shared_pieces()])
    shared = [] if others_remain(root, rows, options.unit_dir) else shared_pieces()
    return steps_to_remove(root, [*pieces, *shared])


def _report(steps: Sequence[Step], dry_run: bool) -> None:
    said = _SAID | _WOULD if dry_run else _SAID
    for step in steps:
        if step.action != "absent":
            colour = YELLOW if step.action in _ODD else GREEN
            print(f"{step.path}: {paint(said[step.action], colour, sys.stdout)}")
    done = sum(step.action in WRITES or step.action == "remove" for step in steps)
    if not done:
        print("Nothing to do.")


def _say_what_next(root: str, rows: Sequence[Row], programs: dict[str, str], options: argparse.Namespace) -> None:
    sockets = " ".join(units.socket_unit(row, kind) for row in rows for kind in units.LOCAL)
    if options.remove:
        for row in rows:
            wanted = os.path.join(root, _WANTED, units.socket_unit(row, "rw"))
            if os.path.lexists(wanted):
                print(f"note: it is still enabled: systemctl disable --now {sockets}")
                break
        return
    for row in rows:
        if not row.served:
            print(f"note: {row.name} has no driver in this version of virtproxy, and would not start")
        elif not os.path.exists(os.path.join(root, programs[row.name].lstrip("/"), row.name)):
            print(f"note: there is no program {row.name} in {programs[row.name]} yet; --bin-dir names another place")
    if os.path.lexists(os.path.join(root, _WANTED, "libvirtd.socket")):
        print("note: libvirtd's sockets are enabled, and exclude these: virtproxy mode says what is in use")
    if root == "/" and not options.dry_run:
        print(f"Next: systemctl daemon-reload && systemctl enable --now {sockets}")
