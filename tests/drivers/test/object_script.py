# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the calls of object_calls.txt, which are about anything but domains, and prints what each gives.

Run like domain_script.py, whose ways it shares; it listens to the events of networks, pools and devices.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import libvirt

base: Any = import_module("domain_script")

UUID = "11111111-2222-3333-4444-55555555555"
NAMES = {
    "PORT": "<capability type='fc_host'><wwnn>{}</wwnn><wwpn>{}</wwpn></capability>",
    "WWNN": "1000000012340001",
    "WWPN": "1000000012340002",
}


def connected(uri: str) -> Any:
    """One connection, and what is heard on it of anything but domains."""
    host = base.Host.__new__(base.Host)
    host.conn, host.heard = libvirt.open(uri), []
    host.conn.networkEventRegisterAny(None, 0, host.hear, "network")
    for event in (0, 1):
        host.conn.storagePoolEventRegisterAny(None, event, host.hear, f"pool {event}")
        host.conn.nodeDeviceEventRegisterAny(None, event, host.hear, f"device {event}")
    return host


def net(name: str, more: str = "", uuid: str = "1") -> str:
    """The document of a network."""
    return f"<network><name>{name}</name><uuid>{UUID}{uuid}</uuid>{more}</network>"


def pool(name: str, more: str = "", uuid: str = "1", type: str = "dir", path: str = "/t") -> str:
    """The document of a pool."""
    head = f"<pool type='{type}'><name>{name}</name><uuid>{UUID}{uuid}</uuid>"
    return f"{head}{more}<target><path>{path}</path></target></pool>"


def vol(name: str, more: str = "", capacity: str = "1000") -> str:
    """The document of a volume."""
    return f"<volume><name>{name}</name><capacity>{capacity}</capacity>{more}</volume>"


def iface(name: str, more: str = "", type: str = "ethernet") -> str:
    """The document of an interface."""
    return f"<interface type='{type}' name='{name}'>{more}</interface>"


def device(parent: str = "", type: str = "scsi_host", more: str = "") -> str:
    """The document of a device."""
    inside = f"<parent>{parent}</parent>" if parent else ""
    return f"<device>{inside}<capability type='{type}'>{more}</capability></device>"


def states(things: list[Any]) -> list[tuple[str, bool]]:
    """The sorted names of a list of objects, and whether each is active."""
    return sorted((thing.name(), bool(thing.isActive())) for thing in things)


def section(uri: str, title: str, lines: list[str]) -> None:
    """Run one section on a connection of its own."""
    host = connected(uri)
    scope = {**vars(base), **globals(), **NAMES, "conn": host.conn}
    print(f"# {title}", flush=True)
    for line in filter(None, lines):
        base.say(line, scope)
    print(f"{title} events -> {host.events()}", flush=True)


def main() -> None:
    """Run everything, or the sections named."""
    uri, _, calls, *only = sys.argv[1:]
    for text in Path(calls).read_text().split("\n# "):
        title, _, lines = text.removeprefix("# ").partition("\n")
        if not only or title in only:
            base.apart(section, uri, title, lines.split("\n"))


if __name__ == "__main__":
    main()
