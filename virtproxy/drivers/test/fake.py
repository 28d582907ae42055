# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shared host as a fake for the tests of tools: made of a scenario, changed while it runs, kept in a file.

The daemon's settings say which scenario, where the state is kept and where to listen for changes; without a scenario
it is libvirt's usual test host.
"""

from __future__ import annotations

import os
from typing import Any

from virtproxy.driver.files import write_file
from virtproxy.drivers.test import control
from virtproxy.drivers.test.config_files import read_text
from virtproxy.drivers.test.node_config import read_node
from virtproxy.drivers.test.opening import Opening
from virtproxy.drivers.test.scenario_faults import faults_of
from virtproxy.drivers.test.state import state_of


class Fake(Opening):
    """The life of the shared host."""

    _port: Any = None

    def _setting(self, name: str) -> str | None:
        return self.place.settings.get(f"test_{name}")

    async def start(self) -> None:
        await super().start()
        path, kept, socket = self._setting("scenario"), self._setting("state"), self._setting("control")
        if path is None:
            return
        scenario = await self.read_scenario(path)
        await self.stage(scenario)
        if kept is not None and os.path.exists(kept):
            await self.furnish(await self.place.blocking(read_node, kept, read_text))
            self.facts = None if scenario.base == "default" else self.facts
        if socket is not None:
            self._port = control.listen(self.place, socket, self._deeds())

    async def stop(self) -> None:
        if self._port is not None:
            await self._port.stopListening()
        if self.scenario is not None:
            await self.save_state()
        await super().stop()

    async def save_state(self) -> str | None:
        """Write what is on the host to the file of the settings, and return its path; None if they name none."""
        path = self._setting("state")
        if path is not None:
            text = await state_of(self)
            await self.place.blocking(write_file, path, text.encode())
        return path

    # What can be done while it runs

    def _deeds(self) -> dict[str, control.Deed]:
        every = (self._do_list, self._do_set, self._do_clear, self._do_reset, self._do_save)
        return {deed.__name__.removeprefix("_do_"): deed for deed in every}

    async def _do_list(self, asked: dict[str, Any]) -> dict[str, Any]:
        rows = []
        for one in self.faults.counted:
            fault = one.fault
            row = {"calls": fault.calls, "object": fault.object, "does": fault.does, "seen": one.seen}
            rows.append({**row, "struck": one.struck})
        return {"faults": rows, "guests": len(list(self.guests))}

    async def _do_set(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.faults.add(faults_of(str(asked.get("faults", ""))))
        return await self._do_list(asked)

    async def _do_clear(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.faults.put(())
        return await self._do_list(asked)

    async def _do_reset(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.scenario is not None
        await self.stage(self.scenario)
        return await self._do_list(asked)

    async def _do_save(self, asked: dict[str, Any]) -> dict[str, Any]:
        path = await self.save_state()
        return {"error": "it was started without --state FILE"} if path is None else {"state": path}
