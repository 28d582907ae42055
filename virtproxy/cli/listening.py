# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who listens on this host's sockets, read from /proc, so that nobody is disturbed: a connection would start a daemon.

``virtproxy mode`` and ``virtproxy doctor`` call it. It must connect to nothing. An ordinary user sees that somebody
listens, and of whom only the own processes: then ``Listeners.complete`` is False.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from virtproxy.daemon.catalogue import ROWS

# The kernel's flag of a socket that accepts connections (__SO_ACCEPTCON), and the state of a TCP one (TCP_LISTEN).
_ACCEPTS = 0x10000
_TCP_LISTEN = "0A"
_MODULE = "virtproxy.cli.daemons"
_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; ``daemon`` is the row of the catalogue that it runs, if it is one of the family."""

    pid: int
    name: str
    daemon: str | None = None
    python: bool = False
    uid: int = 0

    def __str__(self) -> str:
        return f"{self.daemon or self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who listens: by the path of a UNIX socket, by TCP port. ``complete`` if every process could be looked at."""

    unix: dict[str, tuple[Process, ...]] = field(default_factory=dict)
    tcp: dict[int, tuple[Process, ...]] = field(default_factory=dict)
    complete: bool = True

    def daemons_at(self, path: str) -> set[str]:
        """The daemons of the family that listen at ``path``."""
        return {process.daemon for process in self.unix.get(path, ()) if process.daemon}


def look(paths: Iterable[str], ports: Iterable[int], proc: str = "/proc") -> Listeners:
    """Return who listens at these paths and ports; what nobody listens on is left out."""
    unix = _unix_inodes(proc, set(paths))
    tcp = _tcp_inodes(proc, set(ports))
    inodes = {inode for found in (*unix.values(), *tcp.values()) for inode in found}
    holders, complete = _holders(proc, inodes) if inodes else ({}, True)
    return Listeners(
        {path: _joined(found, holders) for path, found in unix.items()},
        {port: _joined(found, holders) for port, found in tcp.items()},
        complete,
    )


def running_daemons(proc: str = "/proc") -> list[Process]:
    """Return root's processes that are daemons of the family; a user's own serve nobody else."""
    processes = (process_of(pid, proc) for pid in _pids(proc))
    return [process for process in processes if process is not None and process.daemon and process.uid == 0]


def process_of(pid: int, proc: str = "/proc") -> Process | None:
    """Return what a process is, None if it is gone."""
    try:
        with open(f"{proc}/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
        with open(f"{proc}/{pid}/cmdline", "rb") as file:
            uid = os.fstat(file.fileno()).st_uid
            words = [word.decode("utf-8", "replace") for word in file.read(4096).split(b"\0")]
    except OSError:
        return None
    python = os.path.basename(words[0]).startswith("python")
    named = _script(words[1:]) if python else os.path.basename(words[0])
    found = next((word for word in (name, named) if word in ROWS), None)
    return Process(pid, name, found, python, uid)


def _script(words: list[str]) -> str:
    """The daemon that Python runs: its script, "-m virtproxy.cli.daemons NAME", or a plugin of twistd's."""
    if _MODULE in words:
        return next(iter(words[words.index(_MODULE) + 1 :]), "")
    script = next((os.path.basename(word) for word in words if word.startswith("/")), "")
    if script.startswith("twistd"):
        return next((word for word in words if word in ROWS), "")
    return script


def _unix_inodes(proc: str, wanted: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for fields in _table(f"{proc}/net/unix"):
        # Num RefCount Protocol Flags Type St Inode Path
        if len(fields) >= 8 and int(fields[3], 16) & _ACCEPTS:
            path = re.sub("^/var/run/", "/run/", " ".join(fields[7:]))
            if path in wanted:
                found.setdefault(path, set()).add(fields[6])
    return found


def _tcp_inodes(proc: str, wanted: set[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for fields in (*_table(f"{proc}/net/tcp"), *_table(f"{proc}/net/tcp6")):
        # sl local_address rem_address st ... inode is the tenth
        if len(fields) >= 10 and fields[3] == _TCP_LISTEN:
            port = int(fields[1].rpartition(":")[2], 16)
            if port in wanted:
                found.setdefault(port, set()).add(fields[9])
    return found


def _table(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return []


def _holders(proc: str, inodes: set[str]) -> tuple[dict[str, list[Process]], bool]:
    found: dict[str, list[Process]] = {}
    complete = True
    for pid in _pids(proc):
        try:
            held = _sockets_of(f"{proc}/{pid}/fd") & inodes
        except PermissionError:
            complete = False
            continue
        process = process_of(pid, proc) if held else None
        for inode in held if process else ():
            found.setdefault(inode, []).append(process)  # type: ignore[arg-type]
    return found, complete


def _sockets_of(directory: str) -> set[str]:
    found: set[str] = set()
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, ProcessLookupError):
        return found
    for name in names:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            match = _SOCKET_LINK.fullmatch(os.readlink(f"{directory}/{name}"))
            if match:
                found.add(match[1])
    return found


def _joined(inodes: set[str], holders: dict[str, list[Process]]) -> tuple[Process, ...]:
    processes = {process for inode in inodes for process in holders.get(inode, ())}
    return tuple(sorted(processes, key=lambda process: process.pid))


def _pids(proc: str) -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir(proc) if name.isdecimal())
    except OSError:
        return []
