# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark: real C clients through virtproxyd, side by side with the direct connection.

    sudo .venv-check/bin/python -m benchmarks [--json FILE] [--rounds N]

Every figure is measured direct and proxied in turn (A B A B ...) and quoted as the median of the
rounds' ratios, because one machine's speed drifts. Needs root and the packages that ./check installs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.idle import kib_per_client, resident_kib
from benchmarks.places import Places, places, proxy

CLIENT = Path(__file__).parent / "client.py"
PYTHON = "/usr/bin/python3"
CLIENTS = 8
IDLE_CLIENTS = 1000


@dataclass(frozen=True)
class Figure:
    """One line of the table; `limit` is what it must not be worse than."""

    name: str
    value: float
    limit: float
    smaller_is_better: bool
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the limit is kept."""
        return self.value <= self.limit if self.smaller_is_better else self.value >= self.limit


def client(measure: str, uri: str, count: int) -> dict[str, float]:
    """One client's measurement."""
    command = [PYTHON, str(CLIENT), measure, uri, str(count)]
    result: dict[str, float] = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))
    return result


def together(measure: str, uri: str, count: int) -> float:
    """Calls a second of CLIENTS clients that begin at the same time."""
    with tempfile.TemporaryDirectory() as directory:
        start = Path(directory) / "start"
        command = [PYTHON, str(CLIENT), measure, uri, str(count), str(start)]
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(CLIENTS)]
        time.sleep(1)
        start.touch()
        return sum(float(json.loads(one.communicate()[0])["per_second"]) for one in clients)


def ratio(rounds: int, proxied: Callable[[], float], direct: Callable[[], float]) -> tuple[float, str]:
    """The median of proxied / direct over the rounds, and a phrase with both sides' medians."""
    pairs = [(direct(), proxied()) for _ in range(rounds)]
    median = statistics.median(after / before for before, after in pairs)
    before = statistics.median(pair[0] for pair in pairs)
    after = statistics.median(pair[1] for pair in pairs)
    return median, f"direct {before:.0f}, proxied {after:.0f}"


def measure_all(where: Places, rounds: int) -> list[Figure]:
    """Every figure, in the table's order."""
    direct, proxied = Places.uri(where.hypervisor), Places.uri(where.proxy)
    network = Places.uri(where.network, "network")

    def pair(measure: str, key: str, count: int, direct_uri: str = direct) -> tuple[float, str]:
        client(measure, direct_uri, 10), client(measure, proxied, 10)
        return ratio(
            rounds, lambda: client(measure, proxied, count)[key], lambda: client(measure, direct_uri, count)[key]
        )

    def crowd() -> tuple[float, str]:
        return ratio(rounds, lambda: together("domain", proxied, 4000), lambda: together("domain", direct, 4000))

    rows: list[tuple[str, Callable[[], tuple[float, str]], float, bool]] = [
        ("median latency, proxied / direct (us)", lambda: pair("domain", "median_us", 5000), 1.3, True),
        ("calls/s with 8 clients, proxied / direct", crowd, 0.6, False),
        ("new connections/s, proxied / direct", lambda: pair("opens", "per_second", 300), 0.5, False),
        ("network call, proxied / direct (us)", lambda: pair("network", "median_us", 5000, network), 1.3, True),
        ("volume upload MiB/s, proxied / direct", lambda: pair("upload", "mib_per_second", 512), 0.9, False),
        ("volume download MiB/s, proxied / direct", lambda: pair("download", "mib_per_second", 512), 0.9, False),
        ("KiB of an idle client (1,000 connected)", lambda: idle(where, None), 12, True),
        ("KiB of an idle client that opened qemu:///system", lambda: idle(where, "qemu:///system"), 12, True),
        ("MiB of the daemon at rest", lambda: at_rest(where), 60, True),
        ("seconds from exec to listening", lambda: starts(where, rounds), 0.6, True),
    ]
    figures = []
    for name, measure, limit, smaller in rows:
        value, detail = measure()
        figures.append(Figure(name, round(value, 3), limit, smaller, detail))
        show(figures[-1])
    return figures


def idle(where: Places, uri: str | None) -> tuple[float, str]:
    """Memory per idle client of a daemon that had no others."""
    with proxy(where.backends) as started:
        return kib_per_client(started.path, started.pid, IDLE_CLIENTS, uri), f"{IDLE_CLIENTS} clients"


def at_rest(where: Places) -> tuple[float, str]:
    """Memory before the first client."""
    with proxy(where.backends) as started:
        return resident_kib(started.pid) / 1024, "before the first client"


def starts(where: Places, rounds: int) -> tuple[float, str]:
    """How long a start takes."""
    taken = []
    for _ in range(rounds):
        with proxy(where.backends) as started:
            taken.append(started.seconds)
    return statistics.median(taken), f"median of {rounds} starts"


def show(figure: Figure) -> None:
    """One line of the table, as soon as it is known."""
    sign = "<=" if figure.smaller_is_better else ">="
    verdict = "" if figure.holds else "  NOT KEPT"
    print(f"{figure.name:50} {figure.value:8.2f}  {sign} {figure.limit:<5} {figure.detail}{verdict}", flush=True)


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description="Measure virtproxyd side by side with the direct connection.")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), help="where the figures go")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each pair (7)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark starts its own libvirtd in namespaces: run it as root")
    with places() as where:
        figures = measure_all(where, options.rounds)
    document: dict[str, Any] = {"cpus": os.cpu_count(), "figures": [asdict(figure) for figure in figures]}
    options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
