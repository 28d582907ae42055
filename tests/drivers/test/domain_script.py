# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the calls of domain_calls.txt against the server at a URI and prints what each gives.

Run by the system's Python with the URI, a directory for files and the paths of call lists; each section starts with
the connection and the domain "test" as a new connection finds them, and ends with the events it caused.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libvirt

DISK = "<disk type='file' device='disk'><source file='/new'/><target dev='vdz' bus='virtio'/></disk>"
NIC = "<interface type='network'><mac address='52:54:00:00:00:09'/><source network='default'/></interface>"
HOSTDEV = "<hostdev mode='subsystem' type='{}'><source><address {}/></source></hostdev>"
NAMES = {
    "DISK": DISK,
    "NIC": NIC,
    "HOSTDEV": HOSTDEV.format("pci", "domain='0' bus='1' slot='2' function='3'"),
    "MDEV": "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
    "<address uuid='6695eb01-f6a4-8304-79aa-97f2502e1900'/></source></hostdev>",
    "DEVICES": "<disk type='file' device='disk'><source file='/a'/><target dev='vda' bus='virtio'/></disk>"
    "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>",
}
EVENT_IDS = range(1, 26)
ASSIGNMENT = re.compile(r"(\w+) = (.*)")
QUIET = 0.06


def minimal(name: str, more: str = "", devices: str = "") -> str:
    """A small domain document."""
    head = f"<domain type='test'><name>{name}</name><memory>1024</memory>{more}"
    return f"{head}<os><type>hvm</type></os><devices>{devices}</devices></domain>"


def names(things: list[Any]) -> list[str]:
    """The sorted names of a list of objects."""
    return sorted(thing.name() for thing in things)


def stats(records: list[Any]) -> list[Any]:
    """Bulk statistics, sorted."""
    return sorted((record[0].name(), sorted(record[1].items())) for record in records)


def paces(counts: tuple[int, ...]) -> list[str]:
    """How many microseconds since 1970 there are for one of each of the counts that follow the clock."""
    return [f"{time.time() * 1_000_000 / count:.4g}" for count in counts]


def contents(stream: Any) -> tuple[int, bytes]:
    """How much a stream has, and how it begins."""
    whole = bytearray()
    stream.recvAll(lambda _, data, __: whole.extend(data), None)
    stream.finish()
    return len(whole), bytes(whole[:8])


class Host:
    """One connection, and the events heard on it."""

    def __init__(self, uri: str) -> None:
        self.conn = libvirt.open(uri)
        self.heard: list[object] = []
        for event in EVENT_IDS:
            self.conn.domainEventRegisterAny(None, event, self.hear, event)
        self.conn.domainEventRegisterAny(None, 0, self.hear, 0)
        self.conn.domainEventRegister(self.hear, "legacy")

    def hear(self, _: Any, dom: Any, *rest: Any) -> None:
        """Note an event: its number, the domain and what else it says."""
        self.heard.append((rest[-1], dom.name(), *rest[:-1]))

    def events(self) -> list[object]:
        """The events until none has come for a while."""
        seen = -1
        while seen != len(self.heard):
            seen = len(self.heard)
            deadline = time.monotonic() + QUIET
            while time.monotonic() < deadline:
                libvirt.virEventRunDefaultImpl()
        return self.heard


def shown(result: Any) -> str:
    """What a call gave, without addresses of objects."""
    if hasattr(result, "getName"):
        return f"<{result.getName()}>"
    return f"<{result.name()}>" if hasattr(result, "name") else repr(result)


def say(line: str, scope: dict[str, Any]) -> None:
    """Make one call and print it and what it gives."""
    given = ASSIGNMENT.fullmatch(line)
    name, expression = (given[1], given[2]) if given else ("_", line)
    try:
        scope[name] = eval(expression, scope)
        answer = shown(scope[name])
    except libvirt.libvirtError as error:
        answer = f"ERROR {error.err}"
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(f"{line} -> {answer!s}".replace("\n", "\\n").replace("\\\\n", "\\n"), flush=True)


def section(uri: str, title: str, lines: list[str], place: str) -> None:
    """Run one section on a connection of its own."""
    host = Host(uri)
    scope = {**globals(), **NAMES, "conn": host.conn, "dom": host.conn.lookupByName("test")}
    print(f"# {title}", flush=True)
    for line in lines:
        if line:
            say(line.replace("{tmp}", place), scope)
    print(f"{title} events -> {host.events()}")
    sys.stdout.flush()


def apart(work: Callable[..., None], *args: Any) -> None:
    """Run in a process of its own, so that its connection is the first and the last."""
    child = os.fork()
    if child == 0:
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        libvirt.virEventAddTimeout(5, lambda *_: None, None)
        try:
            work(*args)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    """Run everything, or the sections named."""
    uri, place, calls, *only = sys.argv[1:]
    for text in Path(calls).read_text().split("\n# "):
        title, _, lines = text.removeprefix("# ").partition("\n")
        if not only or title in only:
            apart(section, uri, title, lines.split("\n"), place)


if __name__ == "__main__":
    main()
