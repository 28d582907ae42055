# SPDX-License-Identifier: LGPL-2.1-or-later
"""What ``virtproxy doctor`` asks the daemons themselves, all at once, each with a time limit.

Whether they answer, how long it takes, whether they are the same version; by the admin socket whether they are full;
and polkit, whether it knows libvirt's actions. doctor.py calls it, once a process: it runs the reactor.
"""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterable
from typing import Any
from urllib.parse import quote

from virtproxy.cli import mode_units
from virtproxy.cli.doctor_admin import limits
from virtproxy.cli.doctor_polkit import polkit
from virtproxy.cli.findings import ERROR, OK, UNSEEN, WARNING, Finding
from virtproxy.cli.mode_view import HostView
from virtproxy.daemon.catalogue import HYPERVISORS, ROWS
from virtproxy.protocol.errors import ErrorCode

Found = list[Finding]


def talk(view: HostView, limit: float) -> Found:
    """Ask everybody; no longer than twice ``limit`` seconds in all."""
    from twisted.internet import reactor as installed
    from twisted.internet.defer import Deferred, gatherResults

    reactor: Any = installed
    found: Found = []

    def begin() -> None:
        asking = [Deferred.fromCoroutine(each) for each in questions(reactor, view, limit)]
        all_of_them = gatherResults(asking, consumeErrors=True)
        all_of_them.addTimeout(2 * limit, reactor)
        all_of_them.addCallback(lambda answers: found.extend(one for answer in answers for one in answer))
        all_of_them.addErrback(lambda failure: found.append(Finding(WARNING, "daemons", str(failure.value))))
        all_of_them.addBoth(lambda _: reactor.stop() if reactor.running else None)

    reactor.callWhenRunning(begin)
    reactor.run()
    return [*found, *_odd_versions(found)]


def questions(reactor: Any, view: HostView, limit: float) -> list[Coroutine[Any, Any, Found]]:
    """Return everything that is to be asked."""
    asked = [answers(reactor, f"{name} ({scheme})", scheme, path, limit) for name, scheme, path in _whom(view)]
    admin = [
        limits(reactor, name, path, limit)
        for name, one in view.daemons.items()
        if one.now and (path := mode_units.socket_files(ROWS[name], view.place.run_dir)["admin"]) in view.listeners.unix
    ]
    return [*asked, *admin, polkit(reactor, view, limit)]


def _whom(view: HostView) -> Iterable[tuple[str, str, str]]:
    """Daemon, scheme and socket of each that can be asked; read-only, so that nobody has to log in."""
    for name, row in ROWS.items():
        sockets = mode_units.socket_files(row, view.place.run_dir)
        path = next((sockets[kind] for kind in ("ro", "rw") if sockets[kind] in view.listeners.unix), None)
        if path is None or not view.daemons[name].now:
            continue
        if row.scheme is not None:
            yield name, row.scheme, path
            continue
        schemes = [driver for driver in HYPERVISORS if view.driver(driver, boot=False) != "none"]
        yield from ((name, scheme, path) for scheme in schemes or ["test"])


async def answers(reactor: Any, who: str, scheme: str, path: str, limit: float) -> Found:
    """Whether a daemon answers at ``path``, and in what time."""
    from virtproxy.client import VirtError, connect
    from virtproxy.protocol import remote

    place = "default" if scheme == "test" else "system"
    uri = f"{scheme}+unix:///{place}?socket={quote(path)}"
    began = reactor.seconds()
    try:
        async with connect(reactor, uri, readonly=True, timeout=limit, keepalive_interval=0) as client:
            version = (await client.call(remote.CONNECT_GET_LIB_VERSION, timeout=limit)).lib_ver
    except VirtError as error:
        return [_no_answer(who, path, error)]
    dotted = f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"
    took = f"{(reactor.seconds() - began) * 1000:.0f} ms"
    return [Finding(OK, who, f"answers in {took}, libvirt {dotted}")]


def _no_answer(who: str, path: str, error: Any) -> Finding:
    name = who.partition(" ")[0]
    if os.path.exists(path) and not os.access(path, os.W_OK):
        return Finding(UNSEEN, who, f"this user may not connect to {path}", "sudo virtproxy doctor")
    if error.code == ErrorCode.AUTH_UNAVAILABLE:
        return Finding(UNSEEN, who, str(error.message))
    return Finding(ERROR, who, f"does not answer as it should: {error.message}",
                   f"systemctl status {name}.service; journalctl -u {name}.service")  # fmt: skip


def _odd_versions(found: Found) -> Found:
    numbers = {one.problem.rpartition("libvirt ")[2] for one in found if one.problem.startswith("answers in ")}
    if len(numbers) < 2:
        return []
    return [Finding(WARNING, "versions", f"the daemons are of different versions: {', '.join(sorted(numbers))}",
                    "restart what was upgraded; an old proxy may not know calls of a newer daemon")]  # fmt: skip
