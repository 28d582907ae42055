# SPDX-License-Identifier: LGPL-2.1-or-later
"""``virtproxy doctor``: looks at everything that keeps clients of this host's daemons out, or lets the wrong ones in.

main.py lists it. It changes nothing, but a question to a daemon that sleeps starts it, as any client would. Each area
has its time limit, so that nothing that hangs on the host hangs the doctor.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict

from virtproxy.cli import doctor_files, doctor_settings, doctor_sockets, findings, mode_mixtures, mode_view
from virtproxy.cli.findings import ERROR, OK, WARNING, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.cli.output import CommandError
from virtproxy.cli.systemctl import Systemctl

Check = Callable[[HostView], Iterable[Finding]]

EXAMPLES = """\
examples:
  virtproxy doctor                        everything; as root it sees more
  virtproxy doctor --quiet                only what needs somebody
  virtproxy doctor --only sockets,mode    only these areas
  virtproxy doctor --json                 for scripts

exit status: 0 nothing wrong, 3 an error, 4 a warning and no error, 1 it could not look
"""


def _mode(view: HostView) -> Iterable[Finding]:
    modes = f"{view.mode(boot=False)} now, {view.mode(boot=True)} after the next boot"
    if view.mode(boot=False) == mode_view.NOTHING:
        names = [name for name, one in view.daemons.items() if one.installed]
        how = "virtproxy mode switch modular, or monolithic" if view.systemd else "start one"
        fix = f"{how} (installed: {', '.join(names)})" if names else "install one"
        yield Finding(WARNING, "mode", "no daemon of libvirt's family serves this host", fix)
    else:
        yield Finding(OK, "mode", modes)
    yield from mode_mixtures.mixtures(view)


def _talk(view: HostView) -> Iterable[Finding]:
    from virtproxy.cli import doctor_talk  # Twisted takes a while to load

    return doctor_talk.talk(view, LIMIT)


# The areas in the order in which they are shown. What "daemons" asks runs in the reactor, and so in the main thread.
AREAS: dict[str, Check] = {
    "mode": _mode,
    "sockets": doctor_sockets.sockets,
    "files": doctor_files.files,
    "settings": doctor_settings.settings,
    "certificates": doctor_settings.certificates,
    "sasl": doctor_settings.sasl,
    "daemons": _talk,
    "versions": doctor_files.versions,
}
# Seconds for each area, and for each daemon that is asked.
LIMIT = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``virtproxy doctor``."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quiet", action="store_true", help="leave out what is well")
    parser.add_argument("--only", type=_areas, metavar="AREAS", default=tuple(AREAS), help=f"some of {','.join(AREAS)}")


def _areas(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := [name for name in names if name not in AREAS]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(AREAS)}")
    return names


def run(options: argparse.Namespace) -> int:
    """Look, show what was found and return its status."""
    view, first = _view()
    found = {area: [*_examined(area, view)] for area in AREAS if area in options.only}
    everything = [*first, *(one for area in found.values() for one in area)]
    if options.json:
        areas = {area: [asdict(one) for one in those] for area, those in found.items()}
        counts = {level: sum(one.level == level for one in everything) for level in (ERROR, WARNING)}
        print(json.dumps({"errors": counts[ERROR], "warnings": counts[WARNING], "areas": areas}, indent=1))
    else:
        _show(everything, options.quiet)
    return findings.status(everything)


def _show(everything: list[Finding], quiet: bool) -> None:
    findings.show(one for one in everything if not (quiet and one.level == OK))
    errors, warnings = (sum(one.level == level for one in everything) for level in (ERROR, WARNING))
    if errors or warnings or not quiet:
        print(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}", file=sys.stdout)


def _view() -> tuple[HostView, list[Finding]]:
    """Look at the host; without systemd's word where systemd says none."""
    try:
        return mode_view.look(Systemctl.here()), []
    except CommandError as error:
        fix = "systemctl status; journalctl -b -u init.scope"
        return mode_view.look(None), [Finding(ERROR, "systemd", str(error), fix)]


def _examined(area: str, view: HostView) -> list[Finding]:
    if area == "daemons":
        return [*_talk(view)]
    found: list[Finding] = []
    broken: list[BaseException] = []

    def examine() -> None:
        try:
            found.extend(AREAS[area](view))
        except Exception as error:
            broken.append(error)

    # A daemon thread, for what hangs in the kernel (a dead NFS, a device) cannot be interrupted.
    thread = threading.Thread(target=examine, daemon=True)
    thread.start()
    thread.join(LIMIT)
    if thread.is_alive():
        return [Finding(WARNING, area, f"looking took more than {LIMIT:g} s and was given up")]
    if broken:
        return [*found, Finding(WARNING, area, f"could not be looked at: {broken[0]!r}")]
    return found
