# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lines of ``virtproxy top``: a head, the calls in flight, the clients. What clients chose drives no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from virtproxy.cli.output import BOLD, RED, YELLOW, paint, printable
from virtproxy.cli.trace_packet import PROGRAMS
from virtproxy.protocol import insight

# Calls that wait longer than this are coloured.
LATE_MS, STUCK_MS = 1_000, 10_000
_KEYS: Mapping[str, Callable[[insight.RunningCall], Any]] = {
    "age": lambda call: -call.age,
    "client": lambda call: (call.client, -call.age),
    "procedure": lambda call: (procedure_name(call), -call.age),
    "place": lambda call: (call.place, -call.age),
}
SORTS = tuple(_KEYS)


def table(clients: list[insight.Client], calls: list[insight.RunningCall], total: int, sort: str) -> list[str]:
    """All lines; ``sort`` is one of SORTS and orders the calls, clients with most calls in flight come first."""
    subjects = {client.number: client.subject for client in clients}
    lines = [_head(clients, calls, total)]
    if calls:
        lines += ["", _bold(f"{'AGE':>9}  {'CLIENT':>6}  {'SUBJECT':24}  {'PROCEDURE':36}  {'OBJECT':20}  WAITS FOR")]
        lines += [_call(call, subjects.get(call.client, "")) for call in sorted(calls, key=_KEYS[sort])]
    if total > len(calls):
        lines.append(f"{total - len(calls)} more calls are not shown")
    lines += ["", _bold(f"{'CLIENT':>6}  {'IN FLIGHT':>9}  {'CONNECTED':>10}  {'OVER':4}  SUBJECT")]
    lines += [_client(client) for client in sorted(clients, key=lambda one: (-one.in_flight, one.number))]
    return lines


def procedure_name(call: insight.RunningCall) -> str:
    """The procedure's name, or its numbers where we do not know it."""
    program = PROGRAMS.get(call.program)
    procedure = None if program is None else program.procedures.get(call.procedure)
    return f"{call.program:#x}:{call.procedure}" if procedure is None else procedure.name


def _head(clients: list[insight.Client], calls: list[insight.RunningCall], total: int) -> str:
    oldest = f", the oldest for {_age(max(call.age for call in calls)).strip()}" if calls else ""
    return f"{time.strftime('%H:%M:%S')}  {len(clients)} clients, {total} calls in flight{oldest}"


def _call(call: insight.RunningCall, subject: str) -> str:
    text = printable(
        f"{_age(call.age):>9}  {call.client:>6}  {_cut(subject, 24):24}  {_cut(procedure_name(call), 36):36}  "
        f"{_cut(call.object, 20):20}  {call.place}"
    )
    colour = RED if call.age >= STUCK_MS else YELLOW if call.age >= LATE_MS else ""
    return paint(text, colour, sys.stdout) if colour else text


def _client(client: insight.Client) -> str:
    return printable(
        f"{client.number:>6}  {client.in_flight:>9}  {_age(client.connected):>10}  {client.transport:4}  "
        f"{client.subject}"
    )


def _age(milliseconds: int) -> str:
    """A time in the largest unit that leaves something before the point."""
    seconds = milliseconds / 1000
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}~"


def _bold(text: str) -> str:
    return paint(text, BOLD, sys.stdout)
