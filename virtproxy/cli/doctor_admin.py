# SPDX-License-Identifier: LGPL-2.1-or-later
"""How near a daemon is to its limits, asked on its admin socket as virt-admin does. doctor_talk calls it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred

from virtproxy.cli.findings import ERROR, OK, UNSEEN, WARNING, Finding
from virtproxy.errors import VirtError
from virtproxy.protocol import admin
from virtproxy.rpc.client import ClientConnection
from virtproxy.rpc.connect import connect_unix

# From this part of a limit on it is a warning.
NEAR = 0.8


async def limits(reactor: Any, name: str, path: str, limit: float) -> list[Finding]:
    """What of a daemon is full or nearly; ``limit`` in seconds."""
    if not os.access(path, os.R_OK | os.W_OK):
        return [Finding(UNSEEN, f"{name} limits", f"only root may ask on {path}", "sudo virtproxy doctor")]
    connection = ClientConnection(reactor)
    try:
        asking = Deferred.fromCoroutine(_ask(reactor, connection, name, path))
        return await asking.addTimeout(limit, reactor, lambda result, seconds: _silent(name, path, seconds))
    except (OSError, VirtError) as error:
        text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        return [Finding(WARNING, f"{name} limits", f"no answer on {path}: {text}")]
    finally:
        connection.abort("all is asked")


def _silent(name: str, path: str, seconds: float) -> list[Finding]:
    return [Finding(ERROR, f"{name} limits", f"no answer on {path} within {seconds:g} s: the daemon is stuck",
                    f"systemctl restart {name}.service")]  # fmt: skip


async def _ask(reactor: Any, connection: ClientConnection, name: str, path: str) -> list[Finding]:
    await connect_unix(reactor, path, connection)
    await connection.call(admin.CONNECT_OPEN, admin.ConnectOpenArgs(flags=0))
    listed = await connection.call(admin.CONNECT_LIST_SERVERS, admin.ConnectListServersArgs(need_results=1, flags=0))
    found = []
    for server in listed.servers:
        if server.name != "admin":  # whoever fills that one up is root
            clients = await connection.call(
                admin.SERVER_GET_CLIENT_LIMITS, admin.ServerGetClientLimitsArgs(srv=server, flags=0)
            )
            pool = await connection.call(
                admin.SERVER_GET_THREADPOOL_PARAMETERS, admin.ServerGetThreadpoolParametersArgs(srv=server, flags=0)
            )
            found += judged(name, _values(clients.params), _values(pool.params))
    return found


def _values(params: Any) -> dict[str, int]:
    return {one.field: one.value.value for one in params if isinstance(one.value.value, int)}


def judged(name: str, clients: dict[str, int], pool: dict[str, int]) -> list[Finding]:
    """Judge a server's figures, named as virt-admin shows them."""
    found = []
    for what, key in (("clients", "nclients"), ("clients that have not logged in", "nclients_unauth")):
        now, most = clients.get(key, 0), clients.get(f"{key}_max", 0)
        if most and now >= NEAR * most:
            level, word = (ERROR, "all") if now >= most else (WARNING, "nearly all")
            fix = f"virt-admin -c {name}:///system client-list {name} shows them; {_RAISE[key]} in {name}.conf"
            found.append(Finding(level, f"{name} limits", f"{word} of its {most} {what} are taken: {now}", fix))
    if pool.get("jobQueueDepth", 0) and not pool.get("freeWorkers", 1):
        problem = f"its {pool.get('nWorkers', 0)} workers are all busy and {pool['jobQueueDepth']} calls wait"
        fix = f"raise max_workers in {name}.conf, or find the calls that hang"
        found.append(Finding(WARNING, f"{name} limits", problem, fix))
    taken = f"{clients.get('nclients', 0)} of {clients.get('nclients_max', 0)} clients"
    return found or [Finding(OK, f"{name} limits", taken)]


_RAISE = {"nclients": "raise max_clients", "nclients_unauth": "raise max_anonymous_clients"}
