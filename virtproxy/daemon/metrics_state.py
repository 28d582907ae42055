# SPDX-License-Identifier: LGPL-2.1-or-later
"""The metrics of what a daemon is busy with now: clients, calls under way and waiting, streams, limits, the event loop.

``service`` declares them where metrics are asked for. All of it is looked up when somebody asks; it must cost no more
than a look at each client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtproxy.daemon import loop_lag
from virtproxy.daemon.metrics import Metrics, Sample
from virtproxy.routing.rules.bulkhead import BulkheadRule

if TYPE_CHECKING:
    from virtproxy.daemon.clients import Clients
    from virtproxy.daemon.log import DaemonLog
    from virtproxy.daemon.loop_lag import LoopLag
    from virtproxy.daemon.settings import Settings
    from virtproxy.routing.router import Router
    from virtproxy.routing.session import Session
    from virtproxy.routing.stages import StageMaker


@dataclass(frozen=True, slots=True)
class State:
    """What of a daemon is looked at; ``queued`` is how many clients wait to be accepted."""

    settings: Settings
    clients: Clients
    sessions: Callable[[], list[Session]]
    queued: Callable[[], int]
    router: Router
    stages: Sequence[StageMaker]
    log: DaemonLog | None = None


def declare_state(metrics: Metrics, state: State, lag: LoopLag) -> None:
    """Declare what is told of a daemon's present."""
    metrics.gauge("virtproxy_sessions", "Clients whose connection is up, by transport and how they have to log in.",
                  lambda: _sessions(state), "transport", "auth")  # fmt: skip
    metrics.number("virtproxy_calls_in_flight", "Calls that are being served.",
                   lambda: sum(session.client.in_flight for session in state.sessions()))  # fmt: skip
    metrics.number("virtproxy_calls_waiting", "Calls that wait because their client has max_client_requests under way.",
                   lambda: sum(session.client.waiting_calls for session in state.sessions()))  # fmt: skip
    metrics.number("virtproxy_clients_waiting", "Clients that have a call that waits.",
                   lambda: sum(session.client.waiting_calls > 0 for session in state.sessions()))  # fmt: skip
    metrics.number("virtproxy_clients_queued", "Clients that are connected and not accepted yet.", state.queued)
    metrics.number("virtproxy_accepting", "1 if new clients are accepted, 0 at a limit.",
                   lambda: not state.clients.full)  # fmt: skip
    metrics.number("virtproxy_streams", "Streams that are open.",
                   lambda: sum(session.open_streams for session in state.sessions()))  # fmt: skip
    metrics.gauge("virtproxy_limit", "What a limit is set to; only those that limit.",
                  lambda: [((name,), limit) for name, _, limit in _limits(state)], "limit")  # fmt: skip
    metrics.gauge("virtproxy_limit_used", "What of a limit is used now, by the one who uses most of it.",
                  lambda: [((name,), used) for name, used, _ in _limits(state)], "limit")  # fmt: skip
    metrics.counts("virtproxy_policy_decisions", "Decisions about permissions, by how they went.",
                   "outcome", state.router.decisions)  # fmt: skip
    metrics.counted("virtproxy_backend_returns", "Lost daemons that a client's calls waited for (backend_reconnect).",
                    lambda: state.router.comeback.outcomes.items(), "backend", "outcome")  # fmt: skip
    metrics.histogram("virtproxy_loop_lag_seconds", "How late the event loop comes to what is due.", loop_lag.BOUNDS,
                      lambda: [((), lag.counts, lag.seconds)])  # fmt: skip
    dropped: Mapping[str, int] = {} if state.log is None else state.log.dropped
    metrics.counts("virtproxy_log_dropped", "Messages of the log that an output did not take.", "output", dropped)


def _sessions(state: State) -> Iterator[Sample]:
    found = Counter((session.identity.transport, session.gate.row) for session in state.sessions())
    yield from found.items()


def _limits(state: State) -> Iterator[tuple[str, int, int]]:
    """The name of each limit, what is used and what may be; 0 is no limit."""
    number = state.settings.number
    # The first two may have been changed since the start.
    clients, anonymous = state.clients.limits
    busiest = max((session.client.in_flight for session in state.sessions()), default=0)
    owed = max((rule.busiest for rule in state.stages if isinstance(rule, BulkheadRule)), default=0)
    limits = [
        ("max_clients", len(state.clients), clients),
        ("max_anonymous_clients", state.clients.anonymous, anonymous),
        ("max_queued_clients", state.queued(), number("max_queued_clients")),
        ("max_client_requests", busiest, number("max_client_requests")),
        ("max_backend_requests", owed, number("max_backend_requests")),
    ]
    yield from (limit for limit in limits if limit[2])
