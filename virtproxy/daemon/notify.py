# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tells the service manager how the daemon is (sd_notify(3)).

Called by ``lifecycle``. A service manager that does not listen is no reason to fail.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping


def notify(environ: Mapping[str, str], state: str) -> bool:
    """Send ``state``, such as READY=1, to the socket NOTIFY_SOCKET names; return whether it was sent."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(address)
            sock.sendall(state.encode())
    except OSError:
        return False
    return True
