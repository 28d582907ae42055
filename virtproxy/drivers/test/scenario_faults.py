# SPDX-License-Identifier: LGPL-2.1-or-later
"""The faults of a scenario, and those that are set while it runs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache

from virtproxy.driver import ErrorCode, ErrorDomain, VirtError, lxc, qemu, remote
from virtproxy.drivers.test.faults import Fault, names_of
from virtproxy.drivers.test.scenario_values import tables
from virtproxy.protocol.schema import Procedure
from virtproxy.toml.source import Source, SourceError, Table, hint, shown

_KEYS = ("calls", "object", "delay", "error", "message", "hang", "disconnect", "nth", "every", "chance", "times")
_DELAY_MAX = 3600.0
_WHEN = ("nth", "every", "chance")


def read_faults(source: Source, top: Table) -> list[Fault]:
    """Each [[faults]]; mistakes are noted in the source."""
    return [_fault(table) for table in tables(source, top, "faults", _KEYS)]


def faults_of(text: str) -> list[Fault]:
    """The [[faults]] of a text that is nothing else. SourceError."""
    source = Source("faults", text.encode())
    found = read_faults(source, Table(source, (), source.tree, ("faults",)))
    if source.errors:
        raise SourceError("faults", source.errors)
    return found


def _fault(table: Table) -> Fault:
    if sum(key in table for key in _WHEN) > 1:
        table.error(None, f"a fault has one of {', '.join(_WHEN)}")
    deeds = [key for key in ("error", "hang", "disconnect") if key in table]
    if len(deeds) > 1 or not (deeds or "delay" in table):
        table.error(None, "a fault has one of error, hang and disconnect, or a delay")
    return Fault(
        calls=_calls(table),
        object=table.text("object"),
        delay=_delay(table),
        error=_error(table) if "error" in table else None,
        hang=table.flag("hang"),
        disconnect=table.flag("disconnect"),
        nth=table.number("nth") or 0,
        every=table.number("every") or 0,
        chance=_chance(table),
        times=table.number("times") or 0,
    )


def _calls(table: Table) -> tuple[str, ...]:
    if "calls" not in table:
        table.error(None, 'a fault says which calls it is about: calls = "virDomainCreate*"')
    for place, pattern in table.texts("calls"):
        if not any(fnmatchcase(name, pattern) for name in _names()):
            near = hint(pattern, _names())
            table.source.error(place, f"no procedure is called {shown(pattern)}{near}")
    return tuple(pattern for _, pattern in table.texts("calls"))


@cache
def _names() -> tuple[str, ...]:
    """What calls may be called."""
    every = [call for part in (remote, qemu, lxc) for call in part.PROGRAM.procedures.values()]
    return tuple(name for call in every if _may_fail(call) for name in names_of(call))


def _may_fail(call: Procedure[object, object]) -> bool:  # type: ignore[type-var]
    """What a driver serves: not events, nor what the daemon answers itself, but for the opening of a connection."""
    return not call.event and (call.edge is None or call is remote.CONNECT_OPEN)


def _delay(table: Table) -> tuple[float, float] | None:
    if "delay" not in table:
        return None
    given = table.raw("delay")
    ends = given if isinstance(given, list) else [given, given]
    if len(ends) == 2 and all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
        low, high = map(float, ends)
        if 0 <= low <= high <= _DELAY_MAX:
            return low, high
    table.error("delay", f"delay must be seconds, or [from, to], of at most {_DELAY_MAX:g}, not {shown(given)}")
    return None


def _chance(table: Table) -> float:
    given = table.raw("chance") if "chance" in table else 1.0
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
        table.error("chance", f"chance must be a number from 0 to 1, not {shown(given)}")
        return 1.0
    return float(given)


def _error(table: Table) -> VirtError:
    given = table.raw("error")
    code = ErrorCode.__members__.get(given.removeprefix("VIR_ERR_")) if isinstance(given, str) else None
    if code is None and isinstance(given, int) and given in list(ErrorCode):
        code = ErrorCode(given)
    if code is None:
        near = hint(given, ErrorCode.__members__) if isinstance(given, str) else ""
        table.error("error", f'error must be one of libvirt\'s, as "OPERATION_FAILED" or 9, not {shown(given)}{near}')
        code = ErrorCode.INTERNAL_ERROR
    return VirtError.of(code, table.text("message", "a fault of the scenario"), domain=ErrorDomain.TEST)
