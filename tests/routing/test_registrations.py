# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a client asked a daemon for, and the ids it knows it by once the daemon gives others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed

from virtproxy.errors import VirtError
from virtproxy.protocol import programs, qemu, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.answers import error_reply
from virtproxy.routing.registrations import NOTED, Registrations
from virtproxy.rpc.client import connection_closed

REGISTER = remote.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY
LEAVE = remote.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY
EVENT = remote.DOMAIN_EVENT_CALLBACK_REBOOT
DOM = remote.NonnullDomain(name="g", uuid=bytes(16), id=1)
_serials = count(1)


def register(known: Registrations, theirs: int, event: int = 0) -> int:
    """The id that the client is told when the daemon answers `theirs`."""
    args = remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=event, dom=None)
    call = REGISTER.call_frame(next(_serials), args)
    assert known.sent(call) is call
    ret = remote.ConnectDomainEventCallbackRegisterAnyRet(callback_id=theirs)
    return int(REGISTER.decode_ret(known.answered(REGISTER.reply_frame(call.serial, ret))).callback_id)


def leave(known: Registrations, ours: int) -> int | None:
    """The id that the daemon gets; None if it gets no call."""
    call = LEAVE.call_frame(next(_serials), remote.ConnectDomainEventCallbackDeregisterAnyArgs(callback_id=ours))
    sent = known.sent(call)
    if sent is None:
        assert known.gone(call) is not None
        return None
    known.answered(LEAVE.reply_frame(call.serial, None))
    return int(LEAVE.decode_args(sent).callback_id)


def hear(known: Registrations, theirs: int) -> int | None:
    """The id that the client gets of an event with the daemon's; None if it gets no event."""
    msg = remote.DomainEventCallbackRebootMsg(callback_id=theirs, msg=remote.DomainEventRebootMsg(dom=DOM))
    frame = EVENT.event_frame(msg)
    if not known.translates:
        return theirs
    heard = known.event(frame)
    return None if heard is None else int(EVENT.decode_args(heard).callback_id)


def renew(known: Registrations, answer: Callable[[Any, Any], Any]) -> list[VirtError]:
    """Register all anew with a daemon that answers so."""

    def ask(procedure: Any, args: Any) -> Deferred[Any]:
        value = answer(procedure, args)
        return fail(value) if isinstance(value, Exception) else succeed(value)

    results: list[Any] = []
    ensureDeferred(known.renew(ask)).addBoth(results.append)
    (result,) = results
    if isinstance(result, list):
        return result
    raise result.value


def numbered(*numbers: int) -> Callable[[Any, Any], Any]:
    """A daemon that gives these callback ids, one after the other."""
    left = list(numbers)
    return lambda procedure, args: procedure.ret(callback_id=left.pop(0)) if procedure.ret is not None else None


def test_every_registration_and_deregistration_is_noted() -> None:
    for program in programs.BY_NUMBER.values():
        for number, procedure in program.procedures.items():
            if procedure.edge in ("event-register", "event-deregister"):
                assert number in NOTED, procedure
            if procedure.event and procedure.args is not None and "callback_id" in procedure.args.__match_args__:
                # Ids are rewritten in place, without looking at the rest.
                assert procedure.args.__match_args__[0] == "callback_id", procedure


def test_nothing_is_rewritten_before_a_restart() -> None:
    known = Registrations()
    assert not known
    assert [register(known, theirs) for theirs in (4, 9)] == [4, 9]
    assert known
    assert not known.translates
    assert leave(known, 4) == 4
    assert leave(known, 9) == 9
    assert not known


def test_other_ids_are_put_into_the_clients_words() -> None:
    known = Registrations()
    register(known, 4)
    register(known, 9, event=1)
    assert renew(known, numbered(0, 4)) == []
    assert known.translates
    assert (hear(known, 0), hear(known, 4), hear(known, 9)) == (4, 9, None)
    assert register(known, 9) == 10
    assert hear(known, 9) == 10
    assert leave(known, 4) == 0
    assert hear(known, 0) is None
    assert leave(known, 77) == -1
    assert leave(known, 10) == 9


def test_the_same_ids_again_cost_nothing() -> None:
    known = Registrations()
    register(known, 0)
    renew(known, numbered(5))
    assert known.translates
    renew(known, numbered(0))
    assert not known.translates


def test_what_was_asked_is_asked_again() -> None:
    known = Registrations()
    legacy = remote.CONNECT_DOMAIN_EVENT_REGISTER
    known.sent(legacy.call_frame(1, None))
    known.answered(legacy.reply_frame(1, remote.ConnectDomainEventRegisterRet(cb_registered=1)))
    older = remote.CONNECT_DOMAIN_EVENT_REGISTER_ANY
    known.sent(older.call_frame(2, remote.ConnectDomainEventRegisterAnyArgs(event_id=6)))
    known.answered(older.reply_frame(2, None))
    monitor = qemu.CONNECT_DOMAIN_MONITOR_EVENT_REGISTER
    about = qemu.ConnectDomainMonitorEventRegisterArgs(dom=DOM, event="STOP", flags=1)
    known.sent(monitor.call_frame(3, about))
    known.answered(monitor.reply_frame(3, qemu.ConnectDomainMonitorEventRegisterRet(callback_id=3)))
    register(known, 3, event=7)
    asked: list[tuple[Any, Any]] = []

    def answer(procedure: Any, args: Any) -> Any:
        asked.append((procedure, args))
        return None if procedure is older else procedure.ret(3)

    assert renew(known, answer) == []
    assert asked == [
        (legacy, None),
        (older, remote.ConnectDomainEventRegisterAnyArgs(event_id=6)),
        (monitor, about),
        (REGISTER, remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=7, dom=None)),
    ]
    assert not known.translates
    gone = remote.CONNECT_DOMAIN_EVENT_DEREGISTER.call_frame(9, None)
    assert known.sent(gone) is gone
    answered = known.gone(gone)
    assert answered is not None
    assert remote.CONNECT_DOMAIN_EVENT_DEREGISTER.decode_ret(answered).cb_registered == 0
    assert len(asked) == 4


def test_what_the_daemon_refuses_is_said_unless_its_thing_is_gone() -> None:
    known = Registrations()
    for theirs in range(3):
        register(known, theirs)
    answers = [VirtError.of(ErrorCode.NO_DOMAIN, "gone"), VirtError.of(ErrorCode.AUTH_FAILED, "no"), None]

    def answer(procedure: Any, args: Any) -> Any:
        return answers.pop(0) or procedure.ret(callback_id=0)

    assert [error.message for error in renew(known, answer)] == ["authentication failed: no"]
    assert hear(known, 0) == 2
    assert leave(known, 0) is None
    assert leave(known, 1) is None
    assert leave(known, 2) == 0


def test_a_registration_under_way_is_not_remembered_when_the_daemon_goes() -> None:
    known = Registrations()
    call = REGISTER.call_frame(5, remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None))
    known.sent(call)
    assert known.gone(call) is None
    assert not known
    assert not known.pending


def test_a_refused_registration_is_not_remembered() -> None:
    known = Registrations()
    call = REGISTER.call_frame(5, remote.ConnectDomainEventCallbackRegisterAnyArgs(event_id=0, dom=None))
    known.sent(call)
    refusal = error_reply(call, VirtError(1, "no"))
    assert known.answered(refusal) is refusal
    assert not known


def test_a_connection_lost_meanwhile_is_raised() -> None:
    known = Registrations()
    register(known, 0)
    with pytest.raises(VirtError, match="gone again"):
        renew(known, lambda procedure, args: connection_closed("gone again"))


@given(st.lists(st.tuples(st.sampled_from("rld"), st.integers(0, 6)), max_size=60))
def test_ids_are_never_mixed_up(steps: list[tuple[str, int]]) -> None:
    """Against a daemon that numbers on, and from 0 again after each restart; `ours` has what each id means."""
    known, numbers = Registrations(), count()
    daemon: dict[int, int] = {}
    ours: dict[int, int] = {}
    meanings = count(1)
    for step, which in steps:
        if step == "r":
            theirs, meaning = next(numbers), next(meanings)
            daemon[theirs] = meaning
            got = register(known, theirs, event=meaning)
            assert got not in ours
            ours[got] = meaning
        elif step == "l" and ours:
            got = sorted(ours)[which % len(ours)]
            left = leave(known, got)
            assert left is not None
            assert daemon.pop(left) == ours.pop(got)
        elif step == "d":
            daemon.clear()
            numbers = count(which)

            def again(procedure: Any, args: Any, daemon: Any = daemon, numbers: Any = numbers) -> Any:
                theirs = next(numbers)
                daemon[theirs] = args.event_id
                return procedure.ret(callback_id=theirs)

            assert renew(known, again) == []
        for theirs, meaning in daemon.items():
            heard = hear(known, theirs)
            assert heard is not None
            assert ours[heard] == meaning
