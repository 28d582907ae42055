# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which made-up host a client gets: the shared one of test:///default, or one of its own made of a file.

What a scenario makes stays as its clients leave it. The shared host is made of the scenario that the daemon's settings
name, if they do.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote, urlsplit

from virtproxy.driver import Call, Driver, ErrorCode, ErrorDomain, Identity, VirtError, remote
from virtproxy.drivers.test.config_files import check_reader, read_text
from virtproxy.drivers.test.faults import Faults
from virtproxy.drivers.test.furnish import Furnished
from virtproxy.drivers.test.node_config import read_node
from virtproxy.drivers.test.scenario import Scenario, read_scenario
from virtproxy.protocol.schema import Procedure
from virtproxy.toml.source import SourceError

SHARED = ("", "/", "/default")


class Opening(Furnished):
    """The driver at the moment in which a client opens its URI, and the faults that clients meet."""

    # Whether it was made for one client.
    private = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.faults = Faults(self.place)
        self.scenario: Scenario | None = None

    def method(self, procedure: Procedure[Any, Any]) -> Callable[[Call, Any], Coroutine[Any, Any, Any]] | None:
        found = super().method(procedure)
        return found and self.faults.around(procedure, found)

    def check_uri(self, uri: str) -> None:
        if not self.private:
            super().check_uri(uri)

    async def serving(self, uri: str, identity: Identity) -> Driver:
        path = unquote(urlsplit(uri).path)
        serving = self if path in SHARED else await self._own(path, identity)
        await serving.faults.strike(remote.CONNECT_OPEN, "")
        return await super().serving(uri, identity) if serving is self else serving

    async def _own(self, path: str, identity: Identity) -> Opening:
        check_reader(identity)
        own = type(self)(self.place, self.now)
        own.private = True
        if path.endswith(".toml"):
            await own.stage(await self.read_scenario(path))
        else:
            await own.furnish(await self.place.blocking(read_node, path, read_text))
        return own

    async def read_scenario(self, path: str) -> Scenario:
        """The scenario of a file; VirtError with the line of what is wrong."""
        try:
            return await self.place.blocking(read_scenario, path, read_text)
        except SourceError as error:
            raise VirtError.of(ErrorCode.INVALID_ARG, str(error), domain=ErrorDomain.TEST) from None

    async def stage(self, scenario: Scenario) -> None:
        """Become the host of a scenario, with its faults; VirtError if something in it cannot be."""
        self.scenario, self.host_name, self.keep_state = scenario, scenario.hostname, True
        self.faults.put(())
        if scenario.base == "default":
            self.facts = None
            self.reset()
        elif scenario.base == "empty":
            self.empty()
        else:
            await self.furnish(await self.place.blocking(read_node, scenario.base, read_text))
        await self.add(scenario.plan)
        self.faults.put(scenario.faults, scenario.seed)
