# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a user's own driver daemons for a session proxy, as libvirt's client library does for its user.

``service`` gives it to the router in session mode. It works in a thread, because it waits for a lock and a process;
one thread a daemon, however many clients want it.
"""

from __future__ import annotations

import os
import socket

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.routing.families import daemon_of
from virtproxy.rpc.session_daemon import ConnectError, connect, find_daemon, may_start


class SessionStarts:
    """The starts that are under way, and who waits for them."""

    def __init__(self) -> None:
        # By socket path: those who came while its daemon was being started.
        self._waiting: dict[str, list[Deferred[None]]] = {}

    async def start(self, driver: str, path: str) -> socket.socket:
        """Return a socket connected to the daemon of ``driver``, started if it must be.

        Raises VirtError that says why it cannot be reached; to all who wait for the same start.
        """
        while path in self._waiting:
            turn: Deferred[None] = Deferred()
            self._waiting[path].append(turn)
            await turn
        self._waiting[path] = []
        try:
            sock = await _connected(driver, path)
        except VirtError as error:
            for turn in self._waiting.pop(path):
                turn.errback(error)
            raise
        except BaseException:  # the client left: the next one goes on
            self._wake(path)
            raise
        self._wake(path)
        return sock

    def _wake(self, path: str) -> None:
        for turn in self._waiting.pop(path):
            turn.callback(None)


async def _connected(driver: str, path: str) -> socket.socket:
    program = find_daemon(daemon_of(driver), os.environ) if may_start(os.environ) else None
    try:
        return await _or_closed(deferToThread(connect, path, program))
    except ConnectError as failure:
        raise errors.internal(f"{daemon_of(driver)}: {failure}") from failure


def _or_closed(thread: Deferred[socket.socket]) -> Deferred[socket.socket]:
    """What ``thread`` brings; closed, if by then nobody wants it any more."""
    wanted: Deferred[socket.socket] = Deferred()

    def brought(sock: socket.socket) -> None:
        if wanted.called:
            sock.close()
        else:
            wanted.callback(sock)

    thread.addCallbacks(brought, lambda failure: None if wanted.called else wanted.errback(failure))
    return wanted
