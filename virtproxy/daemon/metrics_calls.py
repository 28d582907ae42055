# SPDX-License-Identifier: LGPL-2.1-or-later
"""The metrics of calls: how many of each procedure, by whom they were answered, and how long they took.

``service`` declares them where metrics are asked for. ``routing.measured`` notes the numbers; this gives them names.
It must note nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from virtproxy.daemon.metrics import Metrics, Sample, Spread
from virtproxy.routing.measured import (
    BACKEND_BOUNDS,
    PROXY_BOUNDS,
    SAMPLE,
    UNKNOWN,
    Measurements,
    Times,
    Which,
    procedure_of,
)

# Who answers what no backend gets.
ITSELF = "virtproxy"


def name_of(which: Which) -> str:
    """Return the name of a procedure, as "domain_get_info"; those that are not of the remote program with theirs."""
    if which == UNKNOWN:
        return "unknown"
    procedure = procedure_of(which)
    name, program = procedure.name.lower(), procedure.program.name
    return name if program == "remote" else f"{program}_{name}"


def declare_calls(metrics: Metrics, measured: Measurements) -> None:
    """Declare what is told of calls."""
    metrics.counted("virtproxy_calls", "Calls answered, by who answered them.",
                    lambda: _calls(measured), "procedure", "backend")  # fmt: skip
    metrics.counted("virtproxy_call_errors", "Of these, the answers that were an error.",
                    lambda: _errors(measured), "procedure", "backend")  # fmt: skip
    some = f"one call in {SAMPLE} is timed"
    metrics.histogram("virtproxy_backend_seconds", f"Time from passing a call on to having its answer; {some}.",
                      BACKEND_BOUNDS, lambda: _backends(measured), "procedure", "backend")  # fmt: skip
    about = f"Time that a call with a backend spent in virtproxy before and after it; {some}."
    metrics.histogram("virtproxy_proxy_seconds", about, PROXY_BOUNDS, lambda: _proxy(measured), "procedure")
    metrics.counted("virtproxy_client_bytes", "Bytes of packets from (in) and to (out) clients.",
                    lambda: [(("in",), measured.received), (("out",), measured.sent)], "direction")  # fmt: skip
    metrics.counted("virtproxy_backend_lost", "Connections to a daemon behind that were lost.",
                    lambda: [((driver,), number) for driver, number in measured.lost.items()], "backend")  # fmt: skip


def _calls(measured: Measurements) -> Iterator[Sample]:
    for driver, which, times in _answered(measured):
        yield (name_of(which), driver), times.calls
    for which, number in measured.own.items():
        yield (name_of(which), ITSELF), number


def _errors(measured: Measurements) -> Iterator[Sample]:
    for driver, which, times in _answered(measured):
        yield (name_of(which), driver), times.errors
    for which in measured.own:
        yield (name_of(which), ITSELF), measured.own_errors[which]


def _backends(measured: Measurements) -> Iterator[Spread]:
    for driver, which, times in _answered(measured):
        if any(times.counts):
            yield (name_of(which), driver), times.counts, times.seconds


def _proxy(measured: Measurements) -> Iterator[Spread]:
    for which, times in measured.proxy.items():
        yield (name_of(which),), times.counts, times.seconds


def _answered(measured: Measurements) -> Iterator[tuple[str, Which, Times]]:
    for driver, table in measured.backends.items():
        for which, times in table.items():
            yield driver, which, times
