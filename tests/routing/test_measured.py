# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is noted of calls where somebody asked for metrics, and that nothing of it is there otherwise."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.support.proxy import settle
from tests.support.scripted import LATER, ScriptedDaemon
from virtproxy.daemon.parts import parts
from virtproxy.errors import VirtError
from virtproxy.protocol import programs, remote
from virtproxy.routing import measured as measured_module
from virtproxy.routing.measured import SAMPLE, UNKNOWN, Measurements, Times
from virtproxy.rpc.client import ClientConnection
from virtproxy.wire.frame import CALL, OK, pack

Daemons = dict[str, ScriptedDaemon]
TYPE = remote.ConnectGetTypeRet(type="QEMU")
PROGRAM = remote.PROGRAM.number


def which(procedure: Any) -> int:
    return measured_module.which(procedure.program.number, procedure.number)


def test_times_are_buckets() -> None:
    times = Times((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.2, 5.0):
        times.note(seconds)
    assert times.counts == [2, 1, 1]
    assert times.seconds == pytest.approx(5.35)


def test_procedures_are_told_apart_by_one_number() -> None:
    seen = set()
    for program in programs.BY_NUMBER.values():
        for procedure in program.procedures.values():
            assert measured_module.procedure_of(which(procedure)) is procedure
            seen.add(which(procedure))
    assert len(seen) == sum(len(program.procedures) for program in programs.BY_NUMBER.values())
    assert UNKNOWN not in seen


async def measured(make_proxy: MakeProxy) -> tuple[Any, Measurements, ClientConnection]:
    """A proxy that measures, what it noted, and a client that has opened qemu:///system."""
    made = parts(measured=True)
    assert made.measurements is not None
    proxy = make_proxy(parts=made)
    return proxy, made.measurements, await proxy.client("qemu:///system")


@pytest_twisted.ensureDeferred
async def test_calls_are_counted_and_timed(daemons: Daemons, make_proxy: MakeProxy) -> None:
    daemons["qemu"].script.answers[remote.CONNECT_GET_TYPE] = TYPE
    _, noted, client = await measured(make_proxy)
    for _ in range(2 * SAMPLE):
        assert await client.call(remote.CONNECT_GET_TYPE) == TYPE
    with pytest.raises(VirtError):
        await client.call(remote.CONNECT_GET_HOSTNAME)
    times = noted.backends["qemu"]
    got = times[which(remote.CONNECT_GET_TYPE)]
    assert (got.calls, got.errors) == (2 * SAMPLE, 0)
    assert 0 < got.seconds < 10
    failed = times[which(remote.CONNECT_GET_HOSTNAME)]
    assert (failed.calls, failed.errors) == (1, 1)
    assert sum(got.counts) == 2
    here = noted.proxy[which(remote.CONNECT_GET_TYPE)]
    assert sum(here.counts) == 2
    assert 0 < here.seconds < got.seconds
    assert noted.own[which(remote.CONNECT_OPEN)] == 1
    assert noted.own_errors[which(remote.CONNECT_OPEN)] == 0
    size = len(remote.CONNECT_GET_TYPE.call_frame(1, None).raw)
    assert size * 2 * SAMPLE < noted.received < size * 3 * SAMPLE
    assert noted.sent > len(remote.CONNECT_GET_TYPE.reply_frame(1, TYPE).raw) * 2 * SAMPLE


@pytest_twisted.ensureDeferred
async def test_what_no_backend_answers_has_no_name_of_the_clients(make_proxy: MakeProxy) -> None:
    proxy, noted, client = await measured(make_proxy)
    for number in (5000, 5001):
        client.send(pack(PROGRAM, 1, number, CALL, 1000 + number, OK))
    client.send(pack(77, 1, 1, CALL, 3000, OK))
    with pytest.raises(VirtError, match="already open"):
        await client.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name="qemu:///system", flags=0))
    await settle(proxy.reactor)
    assert (noted.own[UNKNOWN], noted.own_errors[UNKNOWN]) == (3, 3)
    assert noted.own_errors[which(remote.CONNECT_OPEN)] == 1
    assert all(number < 1000 for number in noted.own)


@pytest_twisted.ensureDeferred
async def test_a_lost_daemon_is_counted(daemons: Daemons, make_proxy: MakeProxy) -> None:
    script = daemons["qemu"].script
    script.answers[remote.CONNECT_GET_TYPE] = lambda args: LATER
    proxy, noted, client = await measured(make_proxy)
    owed = client.call(remote.CONNECT_GET_TYPE)
    await settle(proxy.reactor)
    script.only.connection.abort("the daemon was killed")
    with pytest.raises(VirtError, match="lost the connection"):
        await owed
    assert noted.lost == {"qemu": 1}
    assert noted.backends["qemu"][which(remote.CONNECT_GET_TYPE)].errors == 1


@pytest_twisted.ensureDeferred
async def test_streams_are_counted_in_bytes(daemons: Daemons, make_proxy: MakeProxy) -> None:
    script = daemons["qemu"].script
    script.answers[remote.STORAGE_VOL_UPLOAD] = None
    made = parts(measured=True)
    assert made.measurements is not None
    proxy = make_proxy(sockets={"storage": daemons["qemu"].path}, parts=made)
    client = await proxy.client("storage:///system")
    volume = remote.NonnullStorageVol(pool="p", name="v", key="k")
    reply, stream = client.open_stream(
        remote.STORAGE_VOL_UPLOAD, remote.StorageVolUploadArgs(vol=volume, offset=0, length=0, flags=0)
    )
    await reply
    assert proxy.sessions[0].open_streams == 1
    before = made.measurements.received
    await stream.write(b"x" * 1_000_000)
    await settle(proxy.reactor, 50)
    assert 1_000_000 <= made.measurements.received - before < 1_010_000


def test_nothing_measures_unless_it_is_asked_for() -> None:
    code = "import sys, virtproxy.daemon.service\nassert 'virtproxy.routing.measured' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
