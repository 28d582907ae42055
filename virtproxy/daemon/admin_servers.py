# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon's servers as administrators see them: who is connected, how many may be, and the threads.

``admin_calls`` looks servers and clients up here. It must not change anything by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtproxy.daemon.clients import Clients
from virtproxy.daemon.present import Present
from virtproxy.daemon.workers import Workers
from virtproxy.errors import VirtError
from virtproxy.protocol.errors import ErrorCode, ErrorDomain

if TYPE_CHECKING:
    from virtproxy.daemon.certificates import Certificates


@dataclass(frozen=True, slots=True)
class Server:
    """One server: ``present`` are its clients by number, ``certificates`` what it shows to TLS clients, if any."""

    name: str
    clients: Clients
    present: Mapping[int, Present[Any]]
    workers: Workers
    certificates: Certificates | None = None

    def client(self, number: int) -> Present[Any]:
        """Return the client of a number. Raises VirtError if it is not connected."""
        found = self.present.get(number)
        if found is None:
            problem = f"No client with matching ID '{number}'"
            raise VirtError.of(ErrorCode.NO_CLIENT, problem, domain=ErrorDomain.RPC)
        return found


class Servers:
    """The servers of one daemon, by name."""

    def __init__(self, *servers: Server) -> None:
        self._servers = {server.name: server for server in servers}

    @property
    def names(self) -> list[str]:
        """Their names, the one that serves everybody first."""
        return list(self._servers)

    def server(self, name: str) -> Server:
        """Return the server of a name. Raises VirtError if there is none."""
        found = self._servers.get(name)
        if found is None:
            raise VirtError.of(ErrorCode.NO_SERVER, f"No server named '{name}'", domain=ErrorDomain.RPC)
        return found
