# SPDX-License-Identifier: LGPL-2.1-or-later
"""The URI of a client that names none: the first driver whose daemon is there.

The session asks it at CONNECT_OPEN. The order is that of libvirt's proxy daemon; it looks at the
file system and never connects.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.families import daemon_of
from virtproxy.rpc.session_daemon import find_daemon

SYSTEM_ORDER = ("xen", "qemu", "lxc", "vbox", "bhyve", "vz")
SESSION_ORDER = ("qemu", "vbox")


def default_uri(mode: str, socket_of: Callable[[str], str | None]) -> str:
    """The URI to open in `mode` ("system" or "session").

    `socket_of` gives the path of a driver's socket (the read-only one for a read-only client) or
    None. Raises VirtError (NO_CONNECT) naming what was looked for.
    """
    order = SYSTEM_ORDER if mode == "system" else SESSION_ORDER
    for driver in order:
        path = socket_of(driver)
        if path is not None and os.path.exists(path):
            return f"{driver}:///{mode}"
    if mode == "session":
        for driver in order:
            if find_daemon(daemon_of(driver), os.environ):
                return f"{driver}:///{mode}"
    raise VirtError.of(
        ErrorCode.NO_CONNECT,
        "an empty URI: none of " + ", ".join(daemon_of(driver) for driver in order) + " is there",
    )
