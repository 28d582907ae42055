# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the scripts over libvirt-python tell what they did: one line a thing, errors with all their fields.

Used by the scripts beside it, which run in a lab with the system's Python. It must import nothing but libvirt.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

IMAGES = "/var/lib/libvirt/images"
events: list[str] = []


def say(label: str, value: object = "") -> None:
    """One line of the transcript, in one piece: several threads speak."""
    sys.stdout.write(f"{label}: {value}\n")
    sys.stdout.flush()


def attempt(label: str, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Prints the result of the call, or every field of its error."""
    try:
        result = call(*args, **named)
    except libvirt.libvirtError as error:
        say(label, ("error", *error.err) if error.err else str(error))
        return None
    say(label, named_objects(result))
    return result


def named_objects(value: Any) -> Any:
    """Libvirt's objects by their names, everything else as it is."""
    if isinstance(value, list):
        return [named_objects(one) for one in value]
    if isinstance(value, tuple):
        return tuple(named_objects(one) for one in value)
    name = getattr(value, "name", None) or getattr(value, "getName", None)
    return f"<{type(value).__name__} {name()}>" if callable(name) else value


def text(name: str) -> str:
    """A file of the lab."""
    return Path(name).read_text()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Waits ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"never came: {what}")
        time.sleep(0.02)


def record(kind: str) -> Callable[..., int]:
    """An event callback that notes what it was given."""

    def note(_conn: Any, subject: Any, *details: Any) -> int:
        name = subject.UUIDString() if kind in ("secret", "value") else subject.name()
        events.append(f"{kind} {name} {details[:-1]} {details[-1]}")
        return 0

    return note


def run_loop() -> None:
    """The event loop of the client library."""
    libvirt.virEventRegisterDefaultImpl()

    def forever() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=forever, daemon=True).start()


def tell_events(label: str, last: str) -> None:
    """Prints what events came, once the last one has.

    Of refreshes only the first is told: a pool is refreshed in the background too, as often as there is time for it.
    """
    wait_for(lambda: any(last in event for event in events), last)
    time.sleep(0.2)
    kept: list[str] = []
    for event in events:
        if not event.startswith("refresh") or event not in kept:
            kept.append(event)
    say(label, len(kept))
    for event in kept:
        say("  ", event)
    events.clear()
