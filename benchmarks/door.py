# SPDX-License-Identifier: LGPL-2.1-or-later
"""What policy and audit cost on the relay: calls a second with it and without, side by side.

    sudo .venv-check/bin/python -m benchmarks.door [--json FILE] [--rounds N] [--calls N]

Real libvirt clients call a real libvirtd through several virtproxyd that differ in their configuration only. Each
burst is compared with those right before and after it through the one with everything off, because one machine's
speed drifts; quoted is the median of the rounds' ratios.
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
from benchmarks.places import Places, Started, places, proxy

AUDIT = 'audit_file = "{place}/audit.jsonl"\naudit_record = "%s"\n'
POLICY = 'policy_file = "{place}/policy.toml"\npolicy_owners_file = "{place}/owners"\n'
# The client's guest is granted by name: what it calls is decided by the object.
RULES = """
[[grant]]
to = ["user:root"]
roles = ["viewer"]
on = ["connect"]

[[grant]]
to = ["user:root"]
roles = ["operator"]
on = ["domain:bench*"]
"""
# What is on, and the least share of the calls a second that must be left.
VARIANTS: Mapping[str, tuple[str, float]] = {
    "everything off, once more (the noise)": ("", 0.8),
    "audit of denials": (AUDIT % "denials", 0.9),
    "audit of writes": (AUDIT % "writes", 0.9),
    "audit of all calls": (AUDIT % "all", 0.65),
    "policy by object, audit of denials": (POLICY + AUDIT % "denials", 0.9),
    "policy by object, audit of all calls": (POLICY + AUDIT % "all", 0.5),
}


def burst(started: Started, calls: int) -> tuple[float, float]:
    """Calls a second of all clients together, and the daemon's processor time for each in microseconds."""
    before = processor_seconds(started.pid)
    per_second = together("domain", Places.uri(started.path), calls)
    return per_second, (processor_seconds(started.pid) - before) / (calls * CLIENTS) * 1e6


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(where: Places, rounds: int, calls: int) -> list[Figure]:
    """One figure a variant: each burst is compared with the ones before and after it with everything off."""
    with contextlib.ExitStack() as stack:

        def started(more: str) -> Started:
            return stack.enter_context(proxy(where.backends, more, {"policy.toml": RULES}))

        off = started("")
        variants = {name: started(more) for name, (more, _) in VARIANTS.items()}
        client("domain", Places.uri(off.path), 10)
        ratios: dict[str, list[float]] = {name: [] for name in variants}
        spent: dict[str, list[float]] = {name: [] for name in ("off", *variants)}
        for _ in range(rounds):
            before, used = burst(off, calls)
            spent["off"].append(used)
            for name, daemon in variants.items():
                got, used = burst(daemon, calls)
                after = burst(off, calls)[0]
                ratios[name].append(got / ((before + after) / 2))
                spent[name].append(used)
                before = after
        used = statistics.median(spent["off"])
        return [
            Figure(
                f"calls/s left: {name}",
                round(statistics.median(ratios[name]), 3),
                least,
                False,
                f"{CLIENTS} clients; us of processor a call: {used:.0f} off, {statistics.median(spent[name]):.0f} on",
            )
            for name, (_, least) in VARIANTS.items()
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
