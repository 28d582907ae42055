# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ``virtproxy`` tool: its subcommands and how they end.

The console script calls main. Each subcommand is a module of this package with ``add_arguments(parser)`` and
``run(options) -> exit status``, imported only when it is the one that is asked for. No traceback reaches a user:
what can go wrong is a CommandError.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from virtproxy import __version__
from virtproxy.cli.output import CommandError, complain

PROGRAM = "virtproxy"
# The module of each, by its name, and what the help says of it.
SUBCOMMANDS = {
    "audit": "verify and read the audit log",
    "demo": "start virtproxyd with the test driver and talk to it",
    "doctor": "look at this host's sockets, units, settings, certificates and daemons",
    "fake": "run a command against a made-up libvirt host, for the tests of tools",
    "install": "lay down units, configuration, polkit and SASL files, and remove them",
    "mode": "say whether monolithic or modular daemons are in use, and switch",
    "policy": "check a policy, and ask it who may do what",
    "top": "show a daemon's clients and their calls in flight, the longest waiting first",
    "trace": "show what clients and daemon say to each other, live or recorded",
    "user": "say who may log in by a password (SASL)",
    "pki": "make, renew, revoke and check the certificates that TLS needs",
}
EXAMPLES = """\
examples:
  virtproxy demo                     show it at work, stay up until Ctrl-C
  virtproxy demo --once --port 0     the same on a free port, and end
  virtproxy fake -- pytest           run tests of a tool against a made-up host
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
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words).parse_args(words)
    try:
        status: int = _module(options.subcommand).run(options)
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


def _module(name: str) -> ModuleType:
    return import_module(f"virtproxy.cli.{name}")


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser that can read ``words``: it knows the options of the subcommand in them, and of no other."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="The tool of virtproxy, the libvirt daemon family in Python.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"{PROGRAM} {__version__}")
    subparsers = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, summary in SUBCOMMANDS.items():
        described = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == chosen:
            _module(name).add_arguments(described)
    return parser


if __name__ == "__main__":
    sys.exit(main())
