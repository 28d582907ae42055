# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ``virtproxy`` tool: its subcommands and how they end.

The console script calls main. Each subcommand is a module with ``add_arguments(parser)`` and
``run(options) -> exit status``. No traceback reaches a user: what can go wrong is a CommandError.
"""

from __future__ import annotations

import argparse
import os
import sys
from types import ModuleType

from virtproxy import __version__
from virtproxy.cli import audit, demo, doctor, install, mode, pki, policy, top, trace, user
from virtproxy.cli.output import CommandError, complain

PROGRAM = "virtproxy"
SUBCOMMANDS: dict[str, tuple[ModuleType, str]] = {
    "audit": (audit, "verify and read the audit log"),
    "demo": (demo, "start virtproxyd with the test driver and talk to it"),
    "doctor": (doctor, "look at this host's sockets, units, settings, certificates and daemons"),
    "install": (install, "lay down units, configuration, polkit and SASL files, and remove them"),
    "mode": (mode, "say whether monolithic or modular daemons are in use, and switch"),
    "policy": (policy, "check a policy, and ask it who may do what"),
    "top": (top, "show a daemon's clients and their calls in flight, the longest waiting first"),
    "trace": (trace, "show what clients and daemon say to each other, live or recorded"),
    "user": (user, "say who may log in by a password (SASL)"),
    "pki": (pki, "make, renew, revoke and check the certificates that TLS needs"),
}
EXAMPLES = """\
examples:
  virtproxy demo                     show it at work, stay up until Ctrl-C
  virtproxy demo --once --port 0     the same on a free port, and end
  virtproxy doctor                   what is wrong on this host, and what mends it
  virtproxy install --dry-run        what it takes to run virtproxyd under systemd
  virtproxy user add joe             let joe log in by a password
  virtproxy mode                     which daemons serve this host
  virtproxy pki --help               how to make a CA and certificates
  virtproxy policy --help            who may do what, and why
  virtproxy audit --help             who did what
  virtproxy top                      who waits for what
  virtproxy trace --help             what is said, with results and times
"""


def main(arguments: list[str] | None = None) -> int:
    """Run with these arguments (default: the command line's); return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = SUBCOMMANDS[options.subcommand][0].run(options)
    except CommandError as error:
        complain(f"{PROGRAM} {options.subcommand}", str(error))
        return 1
    except BrokenPipeError:
        # The reader has gone: what is left to say goes nowhere, or Python complains about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The tool of virtproxy, the libvirt daemon family in Python.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for name, (module, summary) in SUBCOMMANDS.items():
        module.add_arguments(
            subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
