# SPDX-License-Identifier: LGPL-2.1-or-later
"""What metrics cost on the relay: calls a second without them, with them, and with a scrape every second.

    sudo .venv-check/bin/python -m benchmarks.metrics [--json FILE] [--rounds N] [--calls N]

Real libvirt clients call a real libvirtd through three virtproxyd that differ in nothing else. Each burst is compared
with those right before and after it, because one machine's speed drifts; quoted is the median of the rounds' ratios.
Needs root and the packages that ./check installs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.__main__ import CLIENTS, Figure, client, show
from benchmarks.door import burst
from benchmarks.places import Places, Started, places, proxy

LISTEN = 'metrics_listen = "unix:{place}/metrics"\nmetrics_domains = [ "qemu:///system" ]\n'
EVERY_SECONDS = 1.0
REQUEST = b"GET /metrics HTTP/1.0\r\n\r\n"


def scrape(path: Path) -> float:
    """Seconds that one scrape takes."""
    began = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(REQUEST)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the metrics are not there: {answer[:200]!r}")
    return time.perf_counter() - began


@contextlib.contextmanager
def scraping(path: Path, taken: list[float]) -> Iterator[None]:
    """Scrape every second meanwhile; `taken` gets how long each took."""
    over = threading.Event()

    def go_on() -> None:
        while True:
            taken.append(scrape(path))
            if over.wait(EVERY_SECONDS):
                return

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(where: Places, rounds: int, calls: int) -> list[Figure]:
    """Off, on, on and scraped, off, ... : each of the two is compared with its neighbours."""
    taken: list[float] = []
    on: list[float] = []
    scraped: list[float] = []
    both: list[float] = []
    spent: dict[str, list[float]] = {"off": [], "on": [], "scraped": []}
    with proxy(where.backends) as off, proxy(where.backends, LISTEN) as metered:
        for started in (off, metered):
            client("domain", Places.uri(started.path), 10)

        def one(name: str, started: Started) -> float:
            per_second, used = burst(started, calls)
            spent[name].append(used)
            return per_second

        for _ in range(rounds):
            first, before = one("off", off), one("on", metered)
            with scraping(metered.path.parent / "metrics", taken):
                during = one("scraped", metered)
            after, last = one("on", metered), one("off", off)
            plain, counted = (first + last) / 2, (before + after) / 2
            on.append(counted / plain)
            scraped.append(during / counted)
            both.append(during / plain)
    used = {name: statistics.median(values) for name, values in spent.items()}
    detail = f"{CLIENTS} clients; us of processor a call: " + ", ".join(f"{used[name]:.1f} {name}" for name in used)
    page = f"{len(taken)} scrapes, median {statistics.median(taken) * 1e3:.0f} ms"
    return [
        Figure("calls/s left: a scrape every second, to none", round(statistics.median(scraped), 3), 0.97, False, page),
        Figure("calls/s left: metrics on, to off", round(statistics.median(on), 3), 0.97, False, detail),
        Figure("calls/s left: on and scraped, to off", round(statistics.median(both), 3), 0.95, False, ""),
    ]


def main() -> None:
    """Measure, print the table, write the JSON file; exit status 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description="Measure what metrics cost on the relay.")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (7)")
    parser.add_argument("--calls", type=int, default=4000, help="calls of each client in a burst (4000)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark starts its own libvirtd in namespaces: run it as root")
    with places() as where:
        figures = measure(where, options.rounds, options.calls)
    for figure in figures:
        show(figure)
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
    sys.exit(0 if all(figure.holds for figure in figures) else 1)


if __name__ == "__main__":
    main()
