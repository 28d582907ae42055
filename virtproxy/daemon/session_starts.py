# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a user's own driver daemons for a session proxy, as libvirt's client library does for its user.

``service`` gives it to the router in session mode. It runs in a thread, because it waits for a lock and a process.
"""

from __future__ import annotations

import os
import socket

from twisted.internet.threads import deferToThread

from virtproxy import errors
from virtproxy.routing.families import daemon_of
from virtproxy.rpc.session_daemon import ConnectError, connect, find_daemon, may_start


async def start_daemon(driver: str, path: str) -> socket.socket:
    """Return a socket connected to the daemon of ``driver``, started if it must be.

    Raises VirtError that says why it cannot be reached.
    """
    program = find_daemon(daemon_of(driver), os.environ) if may_start(os.environ) else None
    try:
        return await deferToThread(connect, path, program)
    except ConnectError as failure:
        raise errors.internal(f"{daemon_of(driver)}: {failure}") from failure
