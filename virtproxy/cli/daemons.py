# SPDX-License-Identifier: LGPL-2.1-or-later
"""The console scripts of the daemons, and ``python -m virtproxy.cli.daemons NAME [options]``.

setup.cfg names one function here for each daemon that is installed as a program. Nothing but ``run`` is done here.
"""

from __future__ import annotations

import os
import sys

from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.drivers import row_of
from virtproxy.daemon.run import main


def virtproxyd() -> int:
    """Run virtproxyd with the command line's options; return the exit code."""
    return main("virtproxyd", sys.argv[1:])


def named() -> int:
    """Run the daemon that this program is called: what a package with a driver names as its daemon's program."""
    return main(os.path.basename(sys.argv[0]), sys.argv[1:])


def any_daemon() -> int:
    """Run the daemon that the first argument names; return the exit code."""
    names = ", ".join(ROWS)
    if len(sys.argv) < 2 or row_of(sys.argv[1]) is None:
        print(f"usage: python -m virtproxy.cli.daemons NAME [options]\nNAME is one of {names}", file=sys.stderr)
        return 1
    return main(sys.argv[1], sys.argv[2:])


if __name__ == "__main__":
    sys.exit(any_daemon())
