# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a host and its domains told, as metrics in Prometheus's text format.

``metrics_domains`` asks and calls ``page`` in a thread: a host has many domains. Disks and network interfaces of a
domain are added up. It must ask nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from virtproxy.protocol import remote
from virtproxy.protocol.enums.domain_state import DomainState

_KIB = 1024
# Where a figure is in the answer: its name, or the beginning and end of those to be added up; what one is of the unit.
_SINGLE = {
    "virtproxy_domain_state": ("gauge", "The state of a domain: 1 running, 3 paused, 5 shut off, 6 crashed, ...",
                               "state.state", 1),
    "virtproxy_domain_cpu_seconds": ("counter", "Processor time that a domain used.", "cpu.time", 1e-9),
    "virtproxy_domain_memory_bytes": ("gauge", "Memory that a domain has.", "balloon.current", _KIB),
    "virtproxy_domain_memory_max_bytes": ("gauge", "Memory that a domain may have.", "balloon.maximum", _KIB),
    "virtproxy_domain_memory_resident_bytes": ("gauge", "Memory of the host in a domain's use.", "balloon.rss", _KIB),
}  # fmt: skip
_SUMS = {
    "virtproxy_domain_net_receive_bytes": ("Bytes that a domain received.", "net.", ".rx.bytes"),
    "virtproxy_domain_net_transmit_bytes": ("Bytes that a domain sent.", "net.", ".tx.bytes"),
    "virtproxy_domain_block_read_bytes": ("Bytes that a domain read from its disks.", "block.", ".rd.bytes"),
    "virtproxy_domain_block_write_bytes": ("Bytes that a domain wrote to its disks.", "block.", ".wr.bytes"),
    "virtproxy_domain_block_read_requests": ("Requests to read from disks.", "block.", ".rd.reqs"),
    "virtproxy_domain_block_write_requests": ("Requests to write to disks.", "block.", ".wr.reqs"),
}
# What is told of each host, whatever its domains do.
HOST_NAMES = ("virtproxy_host_cpus", "virtproxy_host_memory_bytes", "virtproxy_host_memory_free_bytes",
              "virtproxy_domains")  # fmt: skip
# Every name, as it is shown.
NAMES = frozenset(
    [*HOST_NAMES]
    + [f"{name}_total" if kind == "counter" else name for name, (kind, *_) in _SINGLE.items()]
    + [f"{name}_total" for name in _SUMS]
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a daemon told; ``free`` is the host's free memory in bytes."""

    info: remote.NodeGetInfoRet
    free: int
    records: list[remote.DomainStatsRecord]


class _Families:
    """A collector of prometheus-client's."""

    def __init__(self, uri: str, figures: Figures) -> None:
        self._uri = uri
        self._figures = figures
        self._domains = [(record.dom.name, _numbers(record)) for record in figures.records]

    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
        yield from self._host()
        for name, (kind, about, field, unit) in _SINGLE.items():
            values = [(domain, numbers[field] * unit) for domain, numbers in self._domains if field in numbers]
            yield self._family(name, kind, about, values)
        for name, (about, begin, end) in _SUMS.items():
            yield self._family(name, "counter", about, [*self._sums(begin, end)])

    def _host(self) -> Iterator[Any]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        figures = self._figures
        values = (figures.info.cpus, figures.info.memory * _KIB, figures.free)
        abouts = ("Processors of the host.", "Memory of the host.", "Free memory of the host.")
        for name, about, value in zip(HOST_NAMES, abouts, values, strict=False):
            family = GaugeMetricFamily(name, about, labels=["uri"])
            family.add_metric([self._uri], value)
            yield family
        family = GaugeMetricFamily(HOST_NAMES[-1], "Domains by state.", labels=["uri", "state"])
        states = Counter(numbers.get("state.state", 0) for _, numbers in self._domains)
        for state, number in states.items():
            family.add_metric([self._uri, _state(state)], number)
        yield family

    def _sums(self, begin: str, end: str) -> Iterator[tuple[str, float]]:
        for domain, numbers in self._domains:
            found = [number for field, number in numbers.items() if field.startswith(begin) and field.endswith(end)]
            if found:
                yield domain, sum(found)

    def _family(self, name: str, kind: str, about: str, values: list[tuple[str, float]]) -> Any:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        family = (CounterMetricFamily if kind == "counter" else GaugeMetricFamily)(
            name, about, labels=["uri", "domain"]
        )
        for domain, value in values:
            family.add_metric([self._uri, domain], value)
        return family


def _numbers(record: remote.DomainStatsRecord) -> dict[str, float]:
    return {param.field: param.value.value for param in record.params if not isinstance(param.value.value, str)}


def _state(number: float) -> str:
    try:
        return DomainState(int(number)).name.lower()
    except ValueError:
        return "unknown"


def page(uri: str, figures: Figures) -> bytes:
    """Return the metrics of the host at ``uri`` as text. Needs prometheus-client."""
    from prometheus_client import generate_latest
    from prometheus_client.registry import CollectorRegistry

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(uri, figures))
    return generate_latest(registry)
