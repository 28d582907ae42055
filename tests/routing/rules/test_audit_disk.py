# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's stage when the disk is full, and when answers wait for it."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred

from tests.access.audit.conftest import Log
from tests.routing.rules.test_audit import INFO, QEMU, SUSPEND, Audited, audited, log, qemu, refused, refusing
from tests.support.proxy import settle
from tests.support.scripted import ScriptedDaemon
from virtproxy import errors
from virtproxy.access.audit.verify import Verifier, logs
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.rules.audit import AuditRules

__all__ = ["audited", "log", "qemu"]


class Disk:
    """Makes writing fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
        self.full = False
        write = os.write

        def failing(fd: int, data: bytes) -> int:
            if self.full and os.path.realpath(f"/proc/self/fd/{fd}") == path:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(fd, data)

        monkeypatch.setattr(os, "write", failing)


@pytest.fixture
def disk(log: Log, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch, os.path.realpath(log.path))


@pytest_twisted.ensureDeferred
async def test_without_room_calls_are_refused_and_reads_are_not(
    audited: Audited, qemu: ScriptedDaemon, disk: Disk
) -> None:
    client = await audited.client("writes")
    disk.full = True
    # The disk fails under the first call: it was carried out, and its client is told so.
    error = await refused(client, remote.DOMAIN_SUSPEND, SUSPEND)
    assert "was carried out, but its record is not in the audit log yet" in str(error)
    error = await refused(client, remote.DOMAIN_SUSPEND, SUSPEND)
    assert "cannot be written, so the call was not carried out: No space left" in str(error)
    assert qemu.script.only.calls[-1][0] is remote.DOMAIN_SUSPEND
    assert [procedure for procedure, _ in qemu.script.only.calls].count(remote.DOMAIN_SUSPEND) == 1
    await client.call(remote.DOMAIN_GET_INFO, INFO)
    disk.full = False
    audited.recorder.tick()
    await client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    gap, late, after = audited.records()[-3:]
    assert (gap["event"], gap["refused"], gap["late"]) == ("gap", 1, 1)
    assert (late["procedure"], late["result"], late["late"]) == ("DOMAIN_SUSPEND", "ok", True)
    assert after["result"] == "ok" and "late" not in after
    assert Verifier().run(logs([audited.log.path])[0]).broken is None


@pytest_twisted.ensureDeferred
async def test_it_goes_on_without_a_log_if_it_may(audited: Audited, qemu: ScriptedDaemon, disk: Disk) -> None:
    client = await audited.client("writes", rules=AuditRules("virtproxyd", refuse=False))
    disk.full = True
    for _ in range(3):
        await client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    disk.full = False
    audited.recorder.tick()
    assert audited.records()[-4]["late"] == 3


@pytest_twisted.ensureDeferred
async def test_an_answer_waits_for_the_disk_if_it_must(audited: Audited, qemu: ScriptedDaemon, loop: Any) -> None:
    waiting: list[Deferred[None]] = []

    async def synced() -> None:
        waiting.append(Deferred())
        await waiting[-1]

    rules = AuditRules("virtproxyd", synced=synced)
    client = await audited.client("writes", rules=rules, uri=None)
    qemu.script.answers[remote.DOMAIN_SUSPEND] = refusing(ErrorCode.ACCESS_DENIED)
    answers: list[str] = []

    def answered(result: Any, name: str) -> None:
        answers.append(name)

    calls: list[tuple[Procedure[Any, Any], Any]] = [
        (remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=QEMU, flags=0)),
        (remote.DOMAIN_SUSPEND, SUSPEND),
    ]
    for procedure, args in calls:
        call: Deferred[Any] = client.call(procedure, args)
        call.addBoth(answered, procedure.name)
        await settle(loop)
        assert procedure.name not in answers and len(waiting) == 1
        assert audited.records()[-1]["procedure"] == procedure.name
        waiting.pop().callback(None)
        await settle(loop)
        assert procedure.name in answers
    qemu.script.answers[remote.DOMAIN_SUSPEND] = None
    call = client.call(remote.DOMAIN_SUSPEND, SUSPEND)
    await settle(loop)
    waiting.pop().errback(errors.internal("Input/output error"))
    with pytest.raises(VirtError, match="was carried out, but its record is not in the audit log yet"):
        await call


@pytest_twisted.ensureDeferred
async def test_a_goodbye_does_not_wait_for_the_disk(audited: Audited, qemu: ScriptedDaemon) -> None:
    async def never() -> None:
        forever: Deferred[None] = Deferred()
        await forever

    client = await audited.client("all", rules=AuditRules("virtproxyd", synced=never), uri=None)
    await client.call(remote.CONNECT_CLOSE, None)
    assert audited.records(remote.CONNECT_CLOSE)[0]["result"] == "ok"
