# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fairness: how long a client waits while another one floods the daemon, against how long it waits alone.

    sudo .venv-check/bin/python -m benchmarks.fairness [--json FILE] [--seconds N] [--rounds N] [KIND...]

The quiet client sends a keepalive ping and a call that a daemon behind answers, 25 times a second each. Quiet and
flooded phases take turns, because one machine's speed drifts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.__main__ import client
from benchmarks.flood import kinds
from benchmarks.idle import idle_client
from benchmarks.places import Places, places
from virtproxy.protocol import remote
from virtproxy.rpc.keepalive import PING
from virtproxy.wire.framer import Framer

PAUSE_SECONDS = 0.02
LIMIT = 3.0
UPLOADED_MIB = 64


@dataclass
class Waits:
    """Seconds that each answer took."""

    pings: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    def add(self, other: Waits) -> None:
        """Count the other's too."""
        self.pings += other.pings
        self.calls += other.calls


@dataclass(frozen=True)
class Row:
    """One kind of flood: percentiles in microseconds, alone and flooded."""

    kind: str
    call_p99: tuple[float, float]
    call_p95: tuple[float, float]
    call_median: tuple[float, float]
    ping_p99: tuple[float, float]
    ping_p95: tuple[float, float]
    ping_median: tuple[float, float]

    @property
    def ratio(self) -> float:
        """How many times longer the slowest calls take."""
        return self.call_p99[1] / self.call_p99[0]

    def __str__(self) -> str:
        def pair(name: str, values: tuple[float, float]) -> str:
            return f"{name} {values[0]:.0f} -> {values[1]:.0f}"

        call = ", ".join(map(pair, ("p99", "p95", "median"), (self.call_p99, self.call_p95, self.call_median)))
        ping = ", ".join(map(pair, ("p99", "p95", "median"), (self.ping_p99, self.ping_p95, self.ping_median)))
        verdict = "" if self.ratio <= LIMIT else "  NOT KEPT"
        return f"{self.kind:26} {self.ratio:6.1f}  call {call}; ping {ping} us{verdict}"


class QuietClient:
    """A client with little to ask and an eye on the clock."""

    def __init__(self, path: Path) -> None:
        self._sock = idle_client(path, "qemu:///system")
        self._serial = 10

    def ask(self, seconds: float) -> Waits:
        """Ask now and then for that long."""
        waits, end = Waits(), time.perf_counter() + seconds
        while time.perf_counter() < end:
            time.sleep(PAUSE_SECONDS)
            waits.pings.append(self._answered(PING.raw))
            time.sleep(PAUSE_SECONDS)
            self._serial += 1
            waits.calls.append(self._answered(remote.CONNECT_NUM_OF_NETWORKS.call_frame(self._serial, None).raw))
        return waits

    def _answered(self, packet: bytes) -> float:
        framer = Framer()
        start = time.perf_counter()
        self._sock.sendall(packet)
        while not framer.feed(self._sock.recv(65536)):
            pass
        return time.perf_counter() - start


def percentile(waits: list[float], share: float) -> float:
    """That share of the waits is shorter, in microseconds."""
    return round(sorted(waits)[int(len(waits) * share)] * 1e6)


@contextlib.contextmanager
def flooding(kind: str, path: Path) -> Iterator[None]:
    """Another client floods while the block runs."""
    with subprocess.Popen([sys.executable, "-m", "benchmarks.flood", kind, str(path)]) as flood:
        try:
            time.sleep(1)
            yield
            if flood.poll() is not None:
                raise SystemExit(f"the flood of {kind} ended by itself")
        finally:
            flood.kill()


def measure(kind: str, path: Path, seconds: float, rounds: int) -> Row:
    """Alone and flooded in turn."""
    quiet = QuietClient(path)
    quiet.ask(0.5)
    alone, flooded = Waits(), Waits()
    for _ in range(rounds):
        alone.add(quiet.ask(seconds))
        with flooding(kind, path):
            flooded.add(quiet.ask(seconds))
        time.sleep(0.5)
    row = Row(
        kind,
        *((percentile(alone.calls, share), percentile(flooded.calls, share)) for share in (0.99, 0.95, 0.5)),
        *((percentile(alone.pings, share), percentile(flooded.pings, share)) for share in (0.99, 0.95, 0.5)),
    )
    print(row, flush=True)
    return row


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description="Measure how long a client waits while another one floods.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"kinds of floods: {', '.join(kinds())} (all)")
    parser.add_argument("--json", type=Path, default=Path("fairness.json"), help="where the figures go")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a phase (8)")
    parser.add_argument("--rounds", type=int, default=2, help="phases of each kind (2)")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark starts its own libvirtd in namespaces: run it as root")
    with places() as where:
        client("upload", Places.uri(where.proxy), UPLOADED_MIB)  # makes the volume that is streamed
        chosen = options.kinds or list(kinds())
        rows = [measure(kind, where.proxy, options.seconds, options.rounds) for kind in chosen]
    figures = [asdict(row) | {"ratio": round(row.ratio, 2)} for row in rows]
    options.json.write_text(json.dumps({"cpus": os.cpu_count(), "figures": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
