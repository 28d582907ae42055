# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waits for a user's daemon that is about to end, so that the one that was started in its place is not refused.

A daemon that ends closes its sockets first and gives the pid file up last. A client that finds nobody in between starts
a daemon, and would be told that another runs already. Called by ``run`` and the twistd service in session mode, before
anything is opened and while no reactor runs: it blocks. A system's daemons have a service manager that waits.
"""

from __future__ import annotations

import time

from virtproxy.daemon.pidfile import PidFile, PidFileError
from virtproxy.daemon.plan import Plan
from virtproxy.daemon.sockets import SocketError, check_unix

# libvirt's client gives up after five seconds, ours after thirty.
# Longer than a daemon drains unless its configuration says otherwise.
WAIT_SECONDS = 20.0
_INTERVAL = 0.02


def wait_for_predecessor(plan: Plan) -> None:
    """Return when no daemon holds the pid file, or when one does that listens, or after WAIT_SECONDS."""
    if plan.places.is_system:
        return
    deadline = time.monotonic() + WAIT_SECONDS
    while _is_ending(plan) and time.monotonic() < deadline:
        time.sleep(_INTERVAL)


def _is_ending(plan: Plan) -> bool:
    try:
        PidFile(plan.pid_file).check()
    except PidFileError:
        return not _listens(plan)
    return False


def _listens(plan: Plan) -> bool:
    try:
        for endpoint in plan.unix:
            check_unix(endpoint)
    except SocketError:
        return True
    return False
