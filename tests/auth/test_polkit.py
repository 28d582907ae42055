# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions to polkit over a real bus: answers, time limits, what is taken back, and every way of not being there."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from jeepney import message_bus  # type: ignore[import-untyped]
from twisted.internet.defer import CancelledError, ensureDeferred, gatherResults
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.support.polkit_bus import PrivateBus
from tests.support.proxy import settle
from virtproxy.auth import dbus
from virtproxy.auth.dbus import BusError, SystemBus, system_bus_path
from virtproxy.auth.peercred import process_start_time
from virtproxy.auth.polkit import LOGINS_AT_ONCE, Authority, PolkitUnavailable, Verdict
from virtproxy.identity import Identity

pytestmark = pytest.mark.programs("dbus-daemon")

ACTION = "org.libvirt.unix.manage"
ME = Identity(uid=os.getuid(), pid=os.getpid(), process_start_time=process_start_time(os.getpid()))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[PrivateBus]:
    """A bus that is not started yet."""
    made = PrivateBus(tmp_path)
    yield made
    made.close()


@pytest.fixture
def system_bus(bus: PrivateBus) -> Iterator[SystemBus]:
    """Our connection to it."""
    from twisted.internet import reactor

    made = SystemBus(cast(Any, reactor), bus.environ)
    yield made
    made.close()
    pytest_twisted.blockon(ensureDeferred(settle(reactor)))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits less for a bus to let it in."""
    monkeypatch.setattr(dbus, "CONNECT_SECONDS", 0.3)


def authority(system_bus: SystemBus, seconds: float = 10.0) -> Authority:
    """Polkit behind the bus."""
    from twisted.internet import reactor

    return Authority(system_bus, cast(Any, reactor), seconds)


async def turns(count: int = 10) -> None:
    """Let the loop turn."""
    from twisted.internet import reactor

    await settle(reactor, count)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await turns(2)


@pytest_twisted.ensureDeferred
async def test_the_question_is_libvirts(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start()
    verdict = await authority(system_bus).check(ME, ACTION, {"connect_driver": "QEMU", "domain_name": "käse"})
    assert verdict == Verdict(True)
    (asked,) = bus.asked()
    assert asked["action"] == ACTION
    assert asked["details"] == {"connect_driver": "QEMU", "domain_name": "käse"}
    assert asked["flags"] == 0
    assert asked["kind"] == "unix-process"
    assert asked["subject"] == {"pid": ME.pid, "start-time": ME.process_start_time, "uid": ME.uid}
    assert asked["types"] == {"pid": "u", "start-time": "t", "uid": "i"}


@pytest_twisted.ensureDeferred
async def test_denied_and_challenged(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--deny", "monitor", "--challenge", "manage")
    polkit = authority(system_bus)
    assert await polkit.check(ME, "org.libvirt.unix.monitor", {}) == Verdict(False)
    assert await polkit.check(ME, ACTION, {}, interactive=True) == Verdict(False, challenge=True)
    assert [row["flags"] for row in bus.asked()] == [0, 1]
    assert await polkit.permits(ME, ACTION, {}) is False


@pytest_twisted.ensureDeferred
async def test_a_large_user_number(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start()
    assert await authority(system_bus).permits(replace(ME, uid=0xFFFFFFFE), ACTION, {})
    assert bus.asked()[0]["subject"]["uid"] == -2


@pytest.mark.parametrize("lack", [{"pid": None}, {"pid": 0}, {"process_start_time": None}, {"uid": None}])
@pytest_twisted.ensureDeferred
async def test_only_a_process_can_be_asked_about(system_bus: SystemBus, lack: dict[str, Any]) -> None:
    # There is no bus: a question would raise.
    assert await authority(system_bus).check(replace(ME, **lack), ACTION, {}) == Verdict(False)


@pytest_twisted.ensureDeferred
async def test_many_questions_share_one_connection(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--deny", "7$")
    polkit = authority(system_bus)
    assert await polkit.permits(ME, ACTION, {})
    with bus.stopped(bus.authority):
        # More than a bus lets wait.
        questions = [ensureDeferred(polkit.permits(ME, ACTION, {"nr": str(number)})) for number in range(300)]
        await turns(20)
    granted = await gatherResults(questions)
    assert [number for number, yes in enumerate(granted) if not yes] == list(range(7, 300, 10))
    assert len(connections(bus)) == 2  # ours and the stand-in's


@pytest_twisted.ensureDeferred
async def test_humans_who_think_leave_room_for_questions(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--silent", "manage")
    polkit = authority(system_bus)
    logins = [ensureDeferred(polkit.check(ME, ACTION, {}, interactive=True)) for _ in range(200)]
    await until(lambda: len(bus.asked()) == LOGINS_AT_ONCE)
    other = [ensureDeferred(polkit.permits(ME, "org.libvirt.api.domain.read", {})) for _ in range(200)]
    assert await gatherResults(other) == [True] * 200
    for login in logins:
        login.addErrback(lambda _: None)
        login.cancel()


@pytest.mark.parametrize("name", ["a\0b", "a\udcff", "\ud800", "x" * 16385])
@pytest_twisted.ensureDeferred
async def test_a_name_that_the_bus_would_not_carry_costs_nobody_the_connection(
    bus: PrivateBus, system_bus: SystemBus, name: str
) -> None:
    bus.start()
    polkit = authority(system_bus)
    assert await polkit.permits(ME, ACTION, {"domain_name": "x" * 16384})
    before = connections(bus)
    assert not await polkit.permits(ME, ACTION, {"domain_name": name})
    assert await polkit.permits(ME, ACTION, {"domain_name": "käse \U0001f600 \x01"})
    assert connections(bus) == before
    assert len(bus.asked()) == 2


def connections(bus: PrivateBus) -> list[str]:
    """The connected ends of the bus's socket."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return [line for line in lines if line.endswith(f" {bus.socket}") and line.split()[5] == "03"]


@pytest_twisted.ensureDeferred
async def test_no_bus_is_said_once_and_at_once(system_bus: SystemBus) -> None:
    said: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("reason") is not None:
            said.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    polkit = authority(system_bus)
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(PolkitUnavailable, match="system bus cannot be reached: No such file or directory"):
            await polkit.check(ME, ACTION, {}, interactive=True)
    assert await polkit.permits(ME, ACTION, {}) is None
    globalLogPublisher.removeObserver(observe)
    assert time.monotonic() - started < 2
    assert len(said) == 1
    assert "install polkitd" in said[0]


@pytest_twisted.ensureDeferred
async def test_nobody_on_the_bus(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start_bus()
    with pytest.raises(PolkitUnavailable, match="PolicyKit1"):
        await authority(system_bus).check(ME, ACTION, {})


@pytest.mark.parametrize("interactive", [False, True])
@pytest_twisted.ensureDeferred
async def test_killed_in_the_middle(bus: PrivateBus, system_bus: SystemBus, interactive: bool) -> None:
    bus.start("--silent", ACTION)
    question = ensureDeferred(authority(system_bus).check(ME, ACTION, {}, interactive=interactive))
    await until(lambda: len(bus.asked()) == 1)
    bus.kill(bus.authority)
    with pytest.raises(PolkitUnavailable, match="disconnected"):
        await question
    bus.start_authority()
    assert await authority(system_bus).permits(ME, ACTION, {})


@pytest_twisted.ensureDeferred
async def test_a_silent_polkit_has_a_limit(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--silent", "manage")
    with pytest.raises(PolkitUnavailable, match=r"no answer within 0\.3 s"):
        await authority(system_bus, 0.3).check(ME, ACTION, {})
    await until(lambda: len(bus.asked()) == 2)
    assert bus.asked()[1] == {"cancel": bus.asked()[0]["cancellation"]}


@pytest_twisted.ensureDeferred
async def test_a_human_may_take_longer_while_polkit_lives(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--silent", "manage")
    question = ensureDeferred(authority(system_bus, 0.2).check(ME, ACTION, {}, interactive=True))
    started = time.monotonic()
    await until(lambda: time.monotonic() > started + 1)
    assert not question.called
    with bus.stopped(bus.authority), pytest.raises(PolkitUnavailable, match=r"no answer within 0\.2 s"):
        await question


@pytest_twisted.ensureDeferred
async def test_a_client_that_leaves_takes_its_question_back(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--silent", "manage")
    question = ensureDeferred(authority(system_bus).check(ME, ACTION, {}, interactive=True))
    await until(lambda: len(bus.asked()) == 1)
    question.cancel()
    with pytest.raises(CancelledError):
        await question
    await until(lambda: len(bus.asked()) == 2)
    assert bus.asked()[1] == {"cancel": bus.asked()[0]["cancellation"]}


@pytest_twisted.ensureDeferred
async def test_a_new_bus_is_found(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start("--silent", "manage")
    polkit = authority(system_bus)
    question = ensureDeferred(polkit.check(ME, ACTION, {}))
    await until(lambda: len(bus.asked()) == 1)
    bus.kill(bus.bus)
    with pytest.raises(PolkitUnavailable, match="lost the system bus"):
        await question
    bus.kill(bus.authority)
    bus.start()
    assert await polkit.permits(ME, ACTION, {})


@pytest_twisted.ensureDeferred
async def test_a_stopped_bus_has_a_limit(
    bus: PrivateBus, system_bus: SystemBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbus, "CONNECT_SECONDS", 0.3)
    bus.start_bus()
    with bus.stopped(bus.bus):
        both = [ensureDeferred(authority(system_bus).check(ME, ACTION, {})) for _ in range(2)]
        for question in both:
            with pytest.raises(PolkitUnavailable, match=r"nobody in for 0\.3 s"):
                await question


@pytest_twisted.ensureDeferred
async def test_leaving_while_the_bus_is_being_opened(bus: PrivateBus, system_bus: SystemBus) -> None:
    bus.start()
    with bus.stopped(bus.bus):
        first, second = (ensureDeferred(authority(system_bus).check(ME, ACTION, {})) for _ in range(2))
        first.cancel()
        with pytest.raises(CancelledError):
            await first
    assert (await second).authorized


@pytest.mark.parametrize(
    "said", [b"REJECTED EXTERNAL\r\n", b"x" * 9000, b"OK 12\r\n" + b"l\1\0\1" * 8, b"OK 12\r\n", b"OK"]
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_bus(
    bus: PrivateBus, system_bus: SystemBus, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbus, "CONNECT_SECONDS", 0.3)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bus.socket))
        listener.listen()
        question = ensureDeferred(system_bus.call(message_bus.GetId(), 5))
        listener.settimeout(5)
        await turns()
        peer, _ = listener.accept()
        with peer:
            peer.sendall(said)
            with pytest.raises(BusError):
                await question


@pytest_twisted.ensureDeferred
async def test_a_message_without_end_is_refused(bus: PrivateBus, system_bus: SystemBus) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(bus.socket))
        listener.listen()
        question = ensureDeferred(system_bus.call(message_bus.GetId(), 5))
        await turns()
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"OK 12\r\n")
            await turns()
            peer.sendall(b"l\2\0\1" + (100 << 20).to_bytes(4, "little") + b"\1\0\0\0\0\0\0\0")
            with pytest.raises(BusError, match="too large"):
                await question


def test_where_the_bus_is() -> None:
    assert system_bus_path({}) == "/run/dbus/system_bus_socket"
    assert system_bus_path({"DBUS_SYSTEM_BUS_ADDRESS": "tcp:host=a,port=1;unix:abstract=b"}) == "\0b"
    for address in ("tcp:host=a,port=1", "nonsense", "unix:dir"):
        with pytest.raises(BusError, match="names no UNIX socket"):
            system_bus_path({"DBUS_SYSTEM_BUS_ADDRESS": address})
