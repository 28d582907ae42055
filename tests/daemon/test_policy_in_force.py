# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole virtproxyd with a policy: what clients that are connected may do changes with its file."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor as installed
from twisted.internet.task import deferLater

from tests.support.daemon_process import DaemonProcess, configuration
from tests.support.scripted import ScriptedDaemon
from virtproxy.client import connect
from virtproxy.client.client import Client
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

reactor: Any = installed
ME = f"uid:{os.getuid()}"
MAY = f'[[grant]]\nto = "{ME}"\npermissions = ["connect:getattr", "connect:read"]\n'
MAY_LESS = f'[[grant]]\nto = "{ME}"\npermissions = ["connect:getattr"]\n'
REPORT = f'mode = "report"\n{MAY_LESS}'


class House:
    """virtproxyd, a scripted daemon behind it, and the policy's file."""

    def __init__(self, place: Path, backend: ScriptedDaemon, settings: str = "") -> None:
        self.place = place
        self.policy = place / "policy.toml"
        self.write(MAY)
        text = settings + f'backend_sockets = [ "qemu={backend.path}" ]\npolicy_file = "{self.policy}"\n'
        text += f'policy_owners_file = "{place}/owners.json"\n'
        self.daemon = DaemonProcess(place, ["-v", "-f", str(configuration(place, text)), "-p", str(place / "pid")])
        self.daemon.wait_for("is ready")

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={self.place}/libvirt-sock"

    def write(self, text: str) -> None:
        """Put a new file in the old one's place."""
        new = self.policy.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o600)
        new.replace(self.policy)


@pytest.fixture
def house() -> Iterator[House]:
    backend = ScriptedDaemon(reactor)
    backend.script.answers[remote.CONNECT_SET_IDENTITY] = None
    backend.script.answers[remote.NODE_GET_FREE_MEMORY] = remote.NodeGetFreeMemoryRet(free_mem=7)
    place = Path(tempfile.mkdtemp(prefix="vp"))
    made = House(place, backend)
    yield made
    assert made.daemon.stop() == 0
    backend.close()
    shutil.rmtree(place)


async def free_memory(client: Client) -> str | int:
    """What the call answers, or in which words it is refused."""
    try:
        answer = await client.call(remote.NODE_GET_FREE_MEMORY, None)
    except VirtError as refused:
        assert refused.code == ErrorCode.ACCESS_DENIED
        return str(refused.message)
    return int(answer.free_mem)


async def until(house: House, pattern: str) -> None:
    """Wait for the daemon to say so, and for what it answers then."""
    await deferLater(reactor, 0, lambda: None)
    house.daemon.wait_for(pattern)


@pytest_twisted.ensureDeferred
async def test_a_right_that_is_taken_away_is_gone_with_the_next_call(house: House) -> None:
    async with connect(reactor, house.uri) as client:
        assert await free_memory(client) == 7
        house.write(MAY_LESS)
        await until(house, r"is in force as it is now: 1 rules")
        refusal = "access denied: connect:read on connection qemu:///system is not granted"
        assert await free_memory(client) == refusal
        house.write("grant = nonsense\n")
        await until(house, r"the policy stays as it was, because its file is wrong: .*policy.toml:1: is not TOML")
        assert await free_memory(client) == refusal
        house.write(MAY)
        os.kill(house.daemon.pid, signal.SIGHUP)
        await until(house, r"(?s)is in force as it is now.*is in force as it is now")
        assert await free_memory(client) == 7


@pytest_twisted.ensureDeferred
async def test_in_report_mode_everything_is_done_and_what_would_be_refused_is_in_the_log(house: House) -> None:
    house.write(REPORT)
    await until(house, "mode is report: nothing is refused")
    async with connect(reactor, house.uri) as client:
        assert await free_memory(client) == 7
    await until(house, r"would be refused: connect:read on connection qemu:///system \(no grant\) to uid \d+")
