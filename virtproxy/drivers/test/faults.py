# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a made-up host does to its clients on purpose: it is slow, refuses, never answers or hangs up.

The driver sends every call through `Faults.around`. Chance comes from a seed, so that the same calls meet the same
faults. Nothing here is about real trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from virtproxy.driver import Call, HangUp, Place, VirtError, remote
from virtproxy.protocol.schema import Procedure

Serve = Callable[[Call, Any], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of a scenario. `calls` are patterns of procedures, `object` one of the object's name ("" is any).

    It strikes the `nth` call that it is about, or every `every`th, or each with the probability `chance`; at most
    `times` times (0: no limit). `delay` is from and to how many seconds; then comes one of the others, if any.
    """

    calls: tuple[str, ...]
    object: str = ""
    delay: tuple[float, float] | None = None
    error: VirtError | None = None
    hang: bool = False
    disconnect: bool = False
    nth: int = 0
    every: int = 0
    chance: float = 1.0
    times: int = 0

    def is_about(self, procedure: Procedure[Any, Any], subject: str) -> bool:
        """Whether it concerns such a call."""
        called = any(fnmatchcase(name, pattern) for pattern in self.calls for name in names_of(procedure))
        return called and (not self.object or fnmatchcase(subject, self.object))

    @property
    def does(self) -> str:
        """What it does, in words."""
        parts = []
        if self.delay is not None:
            low, high = self.delay
            parts.append(f"waits {low:g} s" if low == high else f"waits {low:g} to {high:g} s")
        if self.error is not None:
            parts.append(f"fails: {self.error.message}")
        if self.hang:
            parts.append("never answers")
        if self.disconnect:
            parts.append("hangs up")
        return ", ".join(parts)


def names_of(procedure: Procedure[Any, Any]) -> tuple[str, ...]:
    """What a call may be called: its name in the protocol, and its function in the public interface."""
    api = "virConnectOpen" if procedure is remote.CONNECT_OPEN else procedure.api
    return (procedure.name, api) if api else (procedure.name,)


@dataclass
class Counted:
    """A fault at work: how many calls it was about, and how many it struck."""

    fault: Fault
    seen: int = 0
    struck: int = 0

    def strikes(self, chance: Random) -> bool:
        """Whether this call, which it is about, is struck."""
        fault = self.fault
        self.seen += 1
        if fault.times and self.struck >= fault.times:
            return False
        if fault.nth:
            hit = self.seen == fault.nth
        elif fault.every:
            hit = self.seen % fault.every == 0
        else:
            hit = chance.random() < fault.chance
        self.struck += hit
        return hit


class Faults:
    """The faults of one host."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._chance = Random(0)
        self.counted: list[Counted] = []

    def put(self, faults: Iterable[Fault], seed: int = 0) -> None:
        """These instead of those before, counted from nothing."""
        self._chance = Random(seed)
        self.counted = [Counted(fault) for fault in faults]

    def add(self, faults: Iterable[Fault]) -> None:
        """These too."""
        self.counted += [Counted(fault) for fault in faults]

    def around(self, procedure: Procedure[Any, Any], serve: Serve) -> Serve:
        """`serve` after what the faults do."""
        if not self.counted:
            return serve

        async def served(call: Call, args: Any) -> Any:
            await self.strike(procedure, subject_of(args))
            return await serve(call, args)

        return served

    async def strike(self, procedure: Procedure[Any, Any], subject: str) -> None:
        """Do what is to be done before a call: wait, VirtError, HangUp, or wait until the client leaves."""
        for counted in list(self.counted):
            fault = counted.fault
            if fault.is_about(procedure, subject) and counted.strikes(self._chance):
                await self._do(fault)

    async def _do(self, fault: Fault) -> None:
        if fault.delay is not None:
            await self._wait(self._chance.uniform(*fault.delay))
        if fault.error is not None:
            raise fault.error
        if fault.disconnect:
            raise HangUp("a fault of the scenario")
        if fault.hang:
            await Deferred()

    async def _wait(self, seconds: float) -> None:
        waiting: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = self._place.clock.callLater(seconds, waiting.callback, None)
        await waiting


def subject_of(args: Any) -> str:
    """The name of the object that a call is about; "" if it is about none that has a name yet."""
    for field in () if args is None else args.__match_args__:
        value = getattr(args, field)
        if field == "name" and isinstance(value, str):
            return value
        if isinstance(getattr(value, "name", None), str):
            return str(value.name)
    return ""
