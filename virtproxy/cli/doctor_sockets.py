# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sockets of the daemons as ``virtproxy doctor`` sees them: is somebody behind each, the right one, and for whom.

It connects only where the kernel shows no listener, to tell a socket that is left over from one that another network
namespace serves.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

from virtproxy.cli import mode_units
from virtproxy.cli.findings import ERROR, OK, UNSEEN, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon.catalogue import ROWS
from virtproxy.daemon.units import kinds, socket_unit

_INIT = 1


def sockets(view: HostView) -> Iterator[Finding]:
    """What is wrong with the sockets; one finding that all is well if nothing is."""
    found = [*_directory(view.place.run_dir)]
    places = _places(view.place.run_dir)
    for path, (kind, names) in places.items():
        found += _socket(view, path, kind, names)
    there = [path for path in places if path in view.listeners.unix]
    if not view.listeners.complete:
        yield Finding(
            UNSEEN, "sockets", "only root sees which process listens on which socket", "sudo virtproxy doctor"
        )
    if not found:
        yield Finding(OK, "sockets", f"{len(there)} in {view.place.run_dir}, and somebody listens on each")
    yield from found


def _places(run_dir: str) -> dict[str, tuple[str, list[str]]]:
    """Each socket's path with its kind and the daemons that may be behind it."""
    places: dict[str, tuple[str, list[str]]] = {}
    for name, row in ROWS.items():
        for kind, path in mode_units.socket_files(row, run_dir).items():
            places.setdefault(path, (kind, []))[1].append(name)
    return places


def _directory(path: str) -> Iterator[Finding]:
    try:
        found = os.stat(path)
    except OSError:
        return
    if found.st_uid != 0:
        yield Finding(ERROR, path, f"belongs to user {found.st_uid}, who can put sockets of their own there",
                      f"chown root:root {path}")  # fmt: skip
    if stat.S_IMODE(found.st_mode) & 0o022:
        yield Finding(ERROR, path, "others than root can put sockets of their own there", f"chmod go-w {path}")


def _socket(view: HostView, path: str, kind: str, names: list[str]) -> Iterator[Finding]:
    units = [
        unit
        for name in names
        if kind in kinds(ROWS[name])
        and (unit := socket_unit(ROWS[name], kind)) in view.units
        and view.units[unit].running
    ]
    again = f"systemctl restart {units[0]}" if units else ""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        if units:
            yield Finding(ERROR, path, f"is gone, though {units[0]} is active: nobody can connect", again)
        return
    except OSError as error:
        yield Finding(UNSEEN, path, f"cannot be looked at: {error.strerror}", "sudo virtproxy doctor")
        return
    if not stat.S_ISSOCK(found.st_mode):
        yield Finding(ERROR, path, "is in a socket's place and is none", f"rm {path}")
        return
    if path not in view.listeners.unix and (problem := _refusal(path)):
        yield Finding(ERROR, path, f"{problem}; clients go there first and fail", again or f"rm {path}")
        return
    yield from _owner(view, path, names)
    if kind == "admin" and stat.S_IMODE(found.st_mode) & 0o077:
        fix = f"chmod 0600 {path}, and SocketMode=0600 in its socket unit"
        yield Finding(ERROR, path, "others than root can administer the daemon", fix)


def _owner(view: HostView, path: str, names: list[str]) -> Iterator[Finding]:
    holders = view.listeners.unix.get(path, ())
    wrong = [one for one in holders if one.pid != _INIT and one.daemon not in names]
    if wrong:
        yield Finding(ERROR, path, f"{wrong[0]} listens there, where {' or '.join(names)} belongs",
                      f"stop process {wrong[0].pid} and start {names[0]}")  # fmt: skip


def _refusal(path: str) -> str:
    """Say why nobody answers at a socket; empty if somebody does, or if this user may not know."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return "is left over from a daemon that is gone: nobody listens there"
        except OSError:
            pass
    return ""
