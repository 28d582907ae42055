# SPDX-License-Identifier: LGPL-2.1-or-later
"""Serves the insight program: who is connected, which calls are in flight, packets as they pass.

``service`` has one, tells it of clients that come and leave, and registers its answers with the admin socket; who may
ask is that socket's business. It answers from what is there and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from virtproxy.access.audit.text import without_password
from virtproxy.daemon.running import Aged, RunningCalls
from virtproxy.daemon.tap import Tap
from virtproxy.daemon.traces import Traces
from virtproxy.protocol import insight, programs
from virtproxy.protocol.schema import Procedure
from virtproxy.routing.session import Session
from virtproxy.rpc.reactor import Clock
from virtproxy.wire.codec import Struct, WireError
from virtproxy.wire.frame import Frame

TEXT_MAX = 256


class Insight:
    """What there is to see of one daemon."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # By client number.
        self._sessions: dict[int, Session] = {}
        self._joined: dict[int, float] = {}
        self.calls = RunningCalls(clock, self._sessions)
        self._tap = Tap(self._sessions)
        self._traces = Traces(clock, self._tap, self._client)

    def answers(self) -> Mapping[Procedure[Any, Any], Callable[[Any], Coroutine[Any, Any, Any]]]:
        """Who answers each procedure of the insight program."""
        return {
            insight.LIST_CLIENTS: self._list_clients,
            insight.LIST_CALLS: self._list_calls,
            insight.TRACE_START: self._traces.start,
            insight.TRACE_NEXT: self._traces.next,
            insight.TRACE_STOP: self._traces.stop,
        }

    def joined(self, number: int, session: Session) -> None:
        """A client came."""
        self._sessions[number] = session
        self._joined[number] = self._clock.seconds()
        self._tap.joined(number, session.client)
        self.calls.changed()

    def left(self, number: int) -> None:
        """A client left; saying so twice does nothing."""
        if number in self._sessions:
            self._traces.left(number)
            del self._sessions[number]
            del self._joined[number]
            self.calls.changed()

    def close(self) -> None:
        """The daemon ends."""
        self.calls.close()
        self._traces.close()

    async def _list_clients(self, _: None) -> insight.ListClientsRet:
        found = [self._client(number) for number in list(self._sessions)[: insight.CLIENT_LIST_MAX]]
        return insight.ListClientsRet([client for client in found if client is not None])

    async def _list_calls(self, _: None) -> insight.ListCallsRet:
        found = sorted(self.calls.look(), key=lambda aged: -aged.age)
        return insight.ListCallsRet([_running(aged) for aged in found], len(found))

    def _client(self, number: int) -> insight.Client | None:
        """Who a client is, None if it is gone."""
        session = self._sessions.get(number)
        if session is None:
            return None
        age = self._clock.seconds() - self._joined[number]
        return insight.Client(
            number, subject_of(session)[:TEXT_MAX], session.identity.transport, int(age * 1000),
            session.client.in_flight,
        )  # fmt: skip


def subject_of(session: Session) -> str:
    """Who a client is, in words that can be searched for."""
    identity = session.identity
    words = (
        ("sasl", identity.sasl_user), ("x509", identity.x509_dname), ("uid", identity.uid),
        ("user", identity.user_name), ("pid", identity.pid), ("address", identity.address or None),
    )  # fmt: skip
    return " ".join(f"{word}:{value}" for word, value in words if value is not None) or "anonymous"


def _running(aged: Aged) -> insight.RunningCall:
    frame = aged.call.frame
    return insight.RunningCall(
        aged.client, frame.program, frame.procedure, frame.serial, int(aged.age * 1000),
        aged.call.place[:TEXT_MAX], _object(frame)[:TEXT_MAX],
    )  # fmt: skip


def _object(frame: Frame) -> str:
    """The first thing that a call names, in a word."""
    program = programs.BY_NUMBER.get(frame.program)
    procedure = program.procedures.get(frame.procedure) if program is not None else None
    if procedure is None or procedure.args is None:
        return ""
    try:
        args = procedure.decode_args(frame)
    except WireError:
        return ""
    field = type(args).__match_args__[0]
    first = getattr(args, field)
    if isinstance(first, Struct):
        field, first = "name", getattr(first, "name", None) or getattr(first, "portdev", None)
    # Of other texts nobody knows whether they may be shown.
    return without_password(first) if field == "name" and isinstance(first, str) else ""
