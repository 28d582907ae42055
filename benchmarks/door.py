# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the audit costs on the relay: calls a second with it and without, side by side.

    sudo .venv-check/bin/python -m benchmarks.door [--json FILE] [--rounds N] [--calls N]

Real libvirt clients call a real libvirtd through several virtproxyd that differ in their configuration only. Each
round measures all of them in turn; quoted is the median of the rounds' ratios to the one with everything off.
Needs root and the packages that ./check installs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.__main__ import CLIENTS, Figure, client, show, together
from benchmarks.places import Places, places, proxy

AUDIT = 'audit_file = "{place}/audit.jsonl"\naudit_record = "%s"\n'
# What is on, and the least share of the calls a second that must be left.
VARIANTS: Mapping[str, tuple[str, float]] = {
    "off again": ("", 0.95),
    "audit of denials": (AUDIT % "denials", 0.9),
    "audit of writes": (AUDIT % "writes", 0.9),
    "audit of all calls": (AUDIT % "all", 0.65),
}


def measure(where: Places, rounds: int, calls: int) -> list[Figure]:
    """One figure a variant."""
    with contextlib.ExitStack() as stack:

        def uri(more: str) -> str:
            return Places.uri(stack.enter_context(proxy(where.backends, more)).path)

        off = uri("")
        variants = {name: (uri(more), least) for name, (more, least) in VARIANTS.items()}
        client("domain", off, 10)
        ratios: dict[str, list[float]] = {name: [] for name in variants}
        bases: list[float] = []
        for number in range(rounds):
            # Every other round in the other order: the first to run is not always the same.
            order = [*variants] if number % 2 else [*variants][::-1]
            before = together("domain", off, calls)
            got = {name: together("domain", variants[name][0], calls) for name in order}
            base = (before + together("domain", off, calls)) / 2
            bases.append(base)
            for name in variants:
                ratios[name].append(got[name] / base)
        detail = f"off {statistics.median(bases):.0f} calls/s, {CLIENTS} clients, {rounds} rounds"
        return [
            Figure(f"calls/s left: {name}", round(statistics.median(ratios[name]), 3), least, False, detail)
            for name, (_, least) in variants.items()
        ]


def main() -> None:
    """Measure, print the table, write the JSON file; exit status 1 if a limit is not kept."""
    parser = argparse.ArgumentParser(description="Measure what audit and rules cost on the relay.")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (7)")
    parser.add_argument("--calls", type=int, default=2000, help="calls of each client in a round (2000)")
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
