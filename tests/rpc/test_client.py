# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client end: calls, errors, events and loss, against the real server end, however the bytes are cut."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.conftest import FlushErrors
from tests.support.memory import Cut, MemoryTransport, Wire, pieces_of, whole
from tests.support.scripted import LATER, Script
from virtproxy import errors
from virtproxy.errors import VirtError
from virtproxy.protocol import qemu, remote
from virtproxy.protocol.errors import ErrorCode, ErrorDomain
from virtproxy.rpc.client import ClientConnection, ConnectionClosed
from virtproxy.wire.codec import WireError, encode
from virtproxy.wire.frame import ERROR, MESSAGE, OK, REPLY, REPLY_WITH_FDS, pack

DOMAIN = remote.NonnullDomain(name="guest", uuid=bytes(range(16)), id=3)
INFO = remote.DomainGetInfoRet(state=1, max_mem=1024, memory=512, nr_virt_cpu=2, cpu_time=10**15)
HOSTNAME = remote.ConnectGetHostnameRet(hostname="here")


class Conversation:
    """A client and a scripted server, joined."""

    def __init__(self, cut: Cut = whole) -> None:
        self.script = Script()
        clock = Clock()
        self.client = ClientConnection(clock)
        self.wire = Wire(self.client, self.script.connection(clock), cut)

    def call(self, procedure: Any, args: Any = None) -> Any:
        """The answer: a value or an exception."""
        answers = results(self.client.call(procedure, args))
        self.wire.carry()
        (answer,) = answers
        return answer


def results(deferred: Deferred[Any]) -> list[Any]:
    """Collects what a Deferred fires with: a value or an exception."""
    found: list[Any] = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.value))
    return found


def alone() -> tuple[ClientConnection, MemoryTransport]:
    """A client whose server is the test."""
    client = ClientConnection(Clock())
    transport = MemoryTransport(client)
    client.makeConnection(transport)
    return client, transport


@pytest.mark.parametrize("cut", [whole, pieces_of(1), pieces_of(29)])
def test_values_arrive_as_they_were_sent(cut: Cut) -> None:
    talk = Conversation(cut)
    talk.script.answers[remote.DOMAIN_GET_INFO] = INFO
    args = remote.DomainGetInfoArgs(dom=DOMAIN)
    assert talk.call(remote.DOMAIN_GET_INFO, args) == INFO
    assert talk.call(remote.CONNECT_OPEN, remote.ConnectOpenArgs(name=None, flags=0)) is None
    assert talk.script.only.calls[0] == (remote.DOMAIN_GET_INFO, args)


def test_an_error_arrives_whole() -> None:
    talk = Conversation()
    sent = VirtError(42, "Domain not found: x", domain=10, level=2, str1="a", str2="b", str3="c", int1=5, int2=-7)

    def refuse(args: object) -> None:
        raise sent

    talk.script.answers[remote.DOMAIN_GET_INFO] = refuse
    error = talk.call(remote.DOMAIN_GET_INFO, remote.DomainGetInfoArgs(dom=DOMAIN))
    assert isinstance(error, VirtError)
    assert vars(error) == vars(sent)


def test_answers_come_in_any_order() -> None:
    client, _ = alone()
    first, second = (results(client.call(remote.CONNECT_GET_HOSTNAME)) for _ in range(2))
    client.dataReceived(remote.CONNECT_GET_HOSTNAME.reply_frame(2, remote.ConnectGetHostnameRet(hostname="b")).raw)
    client.dataReceived(remote.CONNECT_GET_HOSTNAME.reply_frame(1, remote.ConnectGetHostnameRet(hostname="a")).raw)
    assert (first[0].hostname, second[0].hostname) == ("a", "b")


def test_answers_nobody_asked_for_are_dropped() -> None:
    client, transport = alone()
    client.dataReceived(remote.CONNECT_GET_HOSTNAME.reply_frame(17, HOSTNAME).raw)
    client.dataReceived(pack(1, 2, 3, 99, 4, OK).raw)
    assert not transport.closing


def test_an_answer_that_cannot_be_read_is_an_error() -> None:
    client, _ = alone()
    answer = results(client.call(remote.CONNECT_GET_HOSTNAME))
    client.dataReceived(pack(0x20008086, 1, 59, REPLY, 1, OK, b"\xff" * 8).raw)
    broken = results(client.call(remote.CONNECT_GET_HOSTNAME))
    client.dataReceived(pack(0x20008086, 1, 59, REPLY, 2, ERROR, b"\0").raw)
    for (error,) in (answer, broken):
        assert (error.code, error.domain) == (ErrorCode.RPC, ErrorDomain.RPC)


def test_arguments_that_cannot_be_sent_are_refused_at_once() -> None:
    client, transport = alone()
    with pytest.raises(WireError):
        client.call(remote.DOMAIN_LOOKUP_BY_NAME, remote.DomainLookupByNameArgs(name="nul\0"))
    with pytest.raises(WireError):
        client.open_stream(remote.DOMAIN_OPEN_CONSOLE, remote.DomainOpenConsoleArgs(dom=DOMAIN, dev_name="\0", flags=0))
    with pytest.raises(TypeError):
        client.call(remote.DOMAIN_GET_INFO, None)
    assert not transport.written
    transport.end()


def test_serials_in_use_are_passed_over() -> None:
    client, transport = alone()
    slow = results(client.call(remote.CONNECT_GET_HOSTNAME))
    client._serial = 0xFFFFFFFE
    results(client.call(remote.CONNECT_GET_HOSTNAME))
    transport.written.clear()
    results(client.call(remote.CONNECT_GET_HOSTNAME))
    assert transport.written[20:24] == (2).to_bytes(4, "big")
    client.dataReceived(remote.CONNECT_GET_HOSTNAME.reply_frame(1, HOSTNAME).raw)
    assert slow == [HOSTNAME]
    transport.end()


def test_everything_outstanding_fails_once_with_the_reason() -> None:
    talk = Conversation()
    talk.script.answers[remote.CONNECT_GET_HOSTNAME] = lambda args: LATER
    told: list[str] = []
    talk.client.when_lost.append(told.append)
    outstanding = [results(talk.client.call(remote.CONNECT_GET_HOSTNAME)) for _ in range(3)]
    talk.wire.carry()
    talk.client.abort("the test is over")
    talk.wire.carry()
    assert told == ["the test is over"]
    late = results(talk.client.call(remote.CONNECT_GET_HOSTNAME))
    for (error,) in [*outstanding, late]:
        assert isinstance(error, ConnectionClosed)
        assert error.message == "internal error: the connection was lost: the test is over"


def test_a_call_given_up_is_answered_in_vain() -> None:
    client, _ = alone()
    call = client.call(remote.CONNECT_GET_HOSTNAME)
    (gone,) = [results(call)]
    call.cancel()
    client.dataReceived(remote.CONNECT_GET_HOSTNAME.reply_frame(1, HOSTNAME).raw)
    assert len(gone) == 1


@pytest.mark.parametrize("cut", [whole, pieces_of(3)])
def test_events_go_to_who_asked(cut: Cut) -> None:
    talk = Conversation(cut)
    seen: list[Any] = []
    talk.client.on_event(remote.DOMAIN_EVENT_LIFECYCLE, seen.append)
    talk.client.on_event(qemu.DOMAIN_MONITOR_EVENT, seen.append)
    message = remote.DomainEventLifecycleMsg(dom=DOMAIN, event=2, detail=0)
    monitor = qemu.DomainMonitorEventMsg(
        callback_id=1, dom=DOMAIN, event="POWERDOWN", seconds=1, micros=2, details=None
    )
    talk.script.only.event(remote.DOMAIN_EVENT_REBOOT, remote.DomainEventRebootMsg(dom=DOMAIN))
    talk.script.only.event(remote.DOMAIN_EVENT_LIFECYCLE, message)
    talk.script.only.event(qemu.DOMAIN_MONITOR_EVENT, monitor)
    talk.wire.carry()
    assert seen == [message, monitor]


def test_a_broken_event_or_callback_harms_nobody(flush_errors: FlushErrors) -> None:
    client, transport = alone()
    seen: list[Any] = []

    def fail(message: object) -> None:
        raise RuntimeError("a callback's own fault")

    client.on_event(remote.DOMAIN_EVENT_REBOOT, fail)
    client.on_event(remote.DOMAIN_EVENT_LIFECYCLE, seen.append)
    client.dataReceived(pack(0x20008086, 1, remote.DOMAIN_EVENT_LIFECYCLE.number, MESSAGE, 1, OK, b"\0\0").raw)
    client.dataReceived(remote.DOMAIN_EVENT_REBOOT.event_frame(remote.DomainEventRebootMsg(dom=DOMAIN)).raw)
    message = remote.DomainEventLifecycleMsg(dom=DOMAIN, event=2, detail=0)
    client.dataReceived(remote.DOMAIN_EVENT_LIFECYCLE.event_frame(message).raw)
    assert seen == [message]
    assert not transport.closing
    assert len(flush_errors(RuntimeError)) == 1


def fds_reply(serial: int, fds: tuple[int, ...], status: int = OK, payload: bytes = b"") -> bytes:
    return pack(0x20008086, 1, 343, REPLY_WITH_FDS, serial, status, payload, fds).raw + bytes(len(fds))


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def graphics() -> remote.DomainOpenGraphicsFdArgs:
    return remote.DomainOpenGraphicsFdArgs(dom=DOMAIN, idx=0, flags=0)


def test_descriptors_of_a_reply_are_taken_or_closed() -> None:
    client, _ = alone()
    taken: list[tuple[int, ...]] = []
    reader, writer = os.pipe()
    client.call(remote.DOMAIN_OPEN_GRAPHICS_FD, graphics()).addCallback(lambda _: taken.append(client.take_fds()))
    client.fdsReceived([reader])
    client.dataReceived(fds_reply(1, (reader,)))
    assert taken == [(reader,)]
    assert is_open(reader)
    client.call(remote.DOMAIN_OPEN_GRAPHICS_FD, graphics())
    client.fdsReceived([writer])
    client.dataReceived(fds_reply(2, (writer,)))
    assert not is_open(writer)
    assert client.take_fds() == ()
    os.close(reader)


def test_descriptors_of_an_error_or_of_no_reply_are_closed() -> None:
    client, _ = alone()
    reader, writer = os.pipe()
    failed = results(client.call(remote.DOMAIN_OPEN_GRAPHICS_FD, graphics()))
    client.fdsReceived([reader])
    client.dataReceived(fds_reply(1, (reader,), ERROR, encode(errors.internal("no").to_net())))
    client.fdsReceived([writer])
    client.dataReceived(fds_reply(99, (writer,)))
    assert isinstance(failed[0], VirtError)
    assert not is_open(reader)
    assert not is_open(writer)
