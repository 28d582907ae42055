# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program over libvirt-python that listens for guests until the file "end" appears: ``listener URI``."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import libvirt

from tests.conformance.scripts.speaking import run_loop, say


def listen(uri: str) -> None:
    """Tells of guests that are defined and undefined, and of a closed connection."""
    run_loop()
    conn = libvirt.open(uri)
    conn.registerCloseCallback(lambda _conn, reason, _opaque: say("closed", reason), None)

    def told(_conn: Any, domain: Any, event: int, *_: Any) -> None:
        say("event", (domain.name(), event))

    callback = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, told, None)
    say("listening")
    while not Path("end").exists():
        time.sleep(0.05)
    conn.domainEventDeregisterAny(callback)
    say("alive", conn.isAlive())


if __name__ == "__main__":
    listen(sys.argv[1])
