# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a daemon counts about itself: counters and gauges that other parts declare, read only when somebody asks.

``service`` has one ``Metrics``; a part declares its own there. A counter is an integer in a dictionary and a gauge is
asked when it is read, so that nothing on the way of a call pays for being measured. ``metrics_port`` shows them in
Prometheus's text format; only that needs prometheus-client. It must hold nothing secret: whoever may read the port
sees all of it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtproxy import __version__

if TYPE_CHECKING:
    from virtproxy.daemon.certificates import Certificates
    from virtproxy.daemon.clients import Clients

# The values of a metric's labels, and the number.
Sample = tuple[tuple[str, ...], float]
# The same of a histogram: how many in each bucket (the last is what is above every bound), and their sum.
Spread = tuple[tuple[str, ...], Sequence[int], float]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counter:
    """Counts up from 0, for each combination of its labels' values."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, ...], int] = {}

    def inc(self, *labels: str) -> None:
        """Count one more with these values of the labels."""
        self._counts[labels] = self._counts.get(labels, 0) + 1

    def read(self) -> Iterator[Sample]:
        """Yield what was counted."""
        yield from self._counts.items()


@dataclass(frozen=True, slots=True)
class Metric:
    """A declared metric. ``kind``: "counter" or "gauge"; ``read`` yields its samples when somebody asks."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...]
    read: Callable[[], Iterable[Sample]]


@dataclass(frozen=True, slots=True)
class Histogram:
    """A declared histogram; ``bounds`` are the upper ends of its buckets."""

    name: str
    about: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    read: Callable[[], Iterable[Spread]]


class Metrics:
    """The metrics of one daemon."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric | Histogram] = {}
        # Has the figures of the process, by the names that every exporter uses ("process_...").
        self.process = False
        # What is text already: each returns lines of Prometheus's format when somebody asks.
        self.pages: list[Callable[[], bytes]] = []

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        """Declare a counter; ``name`` has no "_total" at its end, it is shown with it. ValueError if it is taken."""
        counter = Counter()
        self._declare(Metric(name, "counter", about, labels, counter.read))
        return counter

    def counts(self, name: str, about: str, label: str, counts: Mapping[str, int]) -> None:
        """Declare a counter that another part keeps: ``counts`` has a number for each value of ``label``."""
        read = lambda: [((value,), number) for value, number in counts.items()]  # noqa: E731 -- read when asked
        self._declare(Metric(name, "counter", about, (label,), read))

    def counted(self, name: str, about: str, read: Callable[[], Iterable[Sample]], *labels: str) -> None:
        """Declare a counter that another part keeps; ``read`` is called for its samples when somebody asks."""
        self._declare(Metric(name, "counter", about, labels, read))

    def histogram(
        self, name: str, about: str, bounds: tuple[float, ...], read: Callable[[], Iterable[Spread]], *labels: str
    ) -> None:
        """Declare a histogram that another part keeps."""
        self._declare(Histogram(name, about, labels, bounds, read))

    def gauge(self, name: str, about: str, read: Callable[[], Iterable[Sample]], *labels: str) -> None:
        """Declare a gauge; ``read`` is called for its samples when somebody asks. ValueError if it is taken."""
        self._declare(Metric(name, "gauge", about, labels, read))

    def number(self, name: str, about: str, read: Callable[[], float]) -> None:
        """Declare a gauge without labels."""
        self.gauge(name, about, lambda: [((), read())])

    def _declare(self, metric: Metric | Histogram) -> None:
        if metric.name in self._metrics:
            raise ValueError(f"the metric {metric.name} is declared twice")
        self._metrics[metric.name] = metric

    def collect(self) -> Iterator[Any]:
        """Yield every metric but the histograms as prometheus-client's; the interface of its collectors."""
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        if self.process:
            from prometheus_client.process_collector import ProcessCollector

            yield from ProcessCollector(registry=None).collect()
        for metric in list(self._metrics.values()):
            if isinstance(metric, Histogram):
                continue
            family = (CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily)(
                metric.name, metric.about, labels=metric.labels
            )
            for labels, number in metric.read():
                family.add_metric(labels, number)
            yield family

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format, of the type CONTENT_TYPE. Needs prometheus-client."""
        from prometheus_client import generate_latest
        from prometheus_client.registry import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        spreads = (metric for metric in self._metrics.values() if isinstance(metric, Histogram))
        histograms = "".join(line for spread in spreads for line in _lines(spread)).encode()
        return generate_latest(registry) + histograms + b"".join(page() for page in self.pages)


def _lines(histogram: Histogram) -> Iterator[str]:
    """Yield a histogram in the text format: prometheus-client takes ten times as long, while every client waits."""
    name, ends = histogram.name, [*map(str, histogram.bounds), "+Inf"]
    yield f"# HELP {name} {histogram.about}\n# TYPE {name} histogram\n"
    for values, counts, total in histogram.read():
        labels = ",".join(f'{label}="{_quoted(value)}"' for label, value in zip(histogram.labels, values, strict=True))
        before, number = (f"{labels}," if labels else ""), 0
        for end, count in zip(ends, counts, strict=True):
            number += count
            yield f'{name}_bucket{{{before}le="{end}"}} {number}\n'
        yield f"{name}_count{{{labels}}} {number}\n{name}_sum{{{labels}}} {total}\n"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def declare_daemon(
    metrics: Metrics,
    daemon: str,
    clients: Clients,
    refusals: Mapping[str, int],
    certificates: Certificates | None,
) -> None:
    """Declare what every daemon measures; ``refusals`` counts refused calls by the rule that refused them."""
    version = (daemon, __version__, platform.python_version())
    metrics.gauge("virtproxy_build_info", "Which daemon this is; always 1.",
                  lambda: [(version, 1)], "daemon", "version", "python")  # fmt: skip
    metrics.number("virtproxy_clients", "Clients connected now.", lambda: len(clients))
    metrics.number("virtproxy_clients_anonymous", "Clients that are not authenticated yet.", lambda: clients.anonymous)
    metrics.counts("virtproxy_calls_refused", "Calls that a rule refused, by rule.", "rule", refusals)
    if certificates is not None:
        metrics.gauge("virtproxy_certificate_days_left", "Days until a TLS file stops being good, negative after it.",
                      certificates.days_left, "file", "subject")  # fmt: skip
