# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console scripts of the daemons, and ``python -m virtproxy.cli.daemons NAME [options]``.

setup.cfg names one function here for each daemon that is installed as a program. Nothing but ``run`` is done here.
"""

from __future__ import annotations

import sys

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.run import main


def virtproxyd() -> int:
    """Run virtproxyd with the command line's options; return the exit code."""
    return main("virtproxyd", sys.argv[1:])


def any_daemon() -> int:
    """Run the daemon that the first argument names; return the exit code."""
    names = ", ".join(ROWS)
    if len(sys.argv) < 2 or sys.argv[1] not in ROWS:
        print(f"usage: python -m virtproxy.cli.daemons NAME [options]\nNAME is one of {names}", file=sys.stderr)
        return 1
    return main(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    sys.exit(any_daemon())
