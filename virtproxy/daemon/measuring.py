# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything of a daemon that is there only where metrics are asked for: the port, the figures, the look at the loop.

``late`` makes one for ``service``, which opens and ends it. It must serve no client of the daemon.
"""

from __future__ import annotations

from typing import Any

from virtproxy.daemon.endpoints import InetEndpoint, UnixEndpoint
from virtproxy.daemon.loop_lag import LoopLag
from virtproxy.daemon.metrics import Metrics
from virtproxy.daemon.metrics_calls import declare_calls
from virtproxy.daemon.metrics_domains import Host, declare_domains
from virtproxy.daemon.metrics_port import MetricsPort, metrics_targets
from virtproxy.daemon.metrics_state import State, declare_state
from virtproxy.daemon.reload import in_threads_of
from virtproxy.routing.measured import Measurements


class Measuring:
    """Shows ``metrics`` at ``endpoint``, with what ``measurements`` and ``state`` tell; ``reactor`` is a whole one."""

    def __init__(
        self,
        reactor: Any,
        endpoint: UnixEndpoint | InetEndpoint,
        metrics: Metrics,
        measurements: Measurements,
        state: State,
    ) -> None:
        self._port = MetricsPort(reactor, endpoint, metrics)
        self._lag = LoopLag(reactor)
        declare_calls(metrics, measurements)
        declare_state(metrics, state, self._lag)
        interval, in_thread = state.settings.number("metrics_domains_interval"), in_threads_of(reactor)
        self._hosts = [Host(state.router, target, interval, in_thread) for target in metrics_targets(state.settings)]
        if self._hosts:
            declare_domains(metrics, self._hosts)
        metrics.process = True

    def open(self) -> None:
        """Listen. Raises SocketError."""
        self._port.open()

    def start(self) -> None:
        """Answer, and look."""
        self._port.start()
        self._lag.start()

    def close(self) -> None:
        """Listen no more."""
        self._port.close()

    def stop(self) -> None:
        """The daemon ends: look and ask no more."""
        self._lag.stop()
        for host in self._hosts:
            host.close()
