# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark of local drivers: the same C client at C libvirtd's drivers and at ours, side by side.

    sudo .venv-check/bin/python -m benchmarks.drivers [--json FILE] [--rounds N] [--only WORD]

Calls, lists, statistics, documents and events go to the test drivers, volumes to a directory pool. Every figure is
measured in turn (A B A B ...) and quoted as the median of the rounds' ratios, ours / C. Needs root and the packages
that ./check installs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.__main__ import CLIENTS, PYTHON, Figure, client, show
from benchmarks.audience import events_per_second
from benchmarks.places import Places, proxy, virsh, wait_for
from tests.support.lab import BACKEND_SOCKETS, Lab

CLIENT = Path(__file__).parent / "driver_client.py"
SUBSCRIBERS = 500
# The least that each kind of work is to reach of C's speed.
CALLS, BULK = 0.4, 0.5

Measure = Callable[[Path], float]


def uri(path: Path) -> str:
    """The URI of the test driver at a socket."""
    return f"test+unix:///default?socket={path}"


def once(measure: str, count: int) -> Measure:
    """One client's figure, of a second."""

    def run(path: Path) -> float:
        return float(json.loads(subprocess.check_output([PYTHON, str(CLIENT), measure, uri(path), str(count)])))

    return run


def together(measure: str, count: int) -> Measure:
    """The sum of CLIENTS clients' figures, who begin at the same time."""

    def run(path: Path) -> float:
        with tempfile.TemporaryDirectory() as directory:
            start = Path(directory) / "start"
            command = [PYTHON, str(CLIENT), measure, uri(path), str(count), str(start)]
            clients = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(CLIENTS)]
            time.sleep(1.5)
            start.touch()
            return sum(float(json.loads(one.communicate()[0])) for one in clients)

    return run


@contextlib.contextmanager
def filled(path: Path, count: int) -> Iterator[None]:
    """The test driver at a socket has `count` guests."""
    command = [PYTHON, str(CLIENT), "fill", uri(path), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as filler:
        assert filler.stdout is not None
        if filler.stdout.readline() != b"ready\n":
            raise SystemExit(f"{path} took no {count} guests")
        yield
        filler.communicate()


def compared(name: str, measure: Measure, ours: Path, theirs: Path, rounds: int, limit: float) -> Figure:
    """The median of ours / theirs over the rounds."""
    measure(theirs), measure(ours)
    pairs = [(measure(theirs), measure(ours)) for _ in range(rounds)]
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Figure(name, round(ratio, 3), limit, False, f"C {before:.1f}, ours {after:.1f} a second")


def of_test_drivers(ours: Path, theirs: Path, rounds: int, only: str) -> Iterator[Figure]:
    """Everything of the test drivers."""
    plan: list[tuple[int, str, Measure, float]] = [
        (1000, "calls, 1 connection", once("call", 4000), CALLS),
        (1000, f"calls, {CLIENTS} connections", together("call", 1500), CALLS),
        (1000, "list of 1,000 guests", once("names", 20), BULK),
        (1000, "list of 1,000 guests, each one's state", once("list", 3), BULK),
        (1000, "statistics of 1,000 guests", once("stats", 20), BULK),
        (1000, "XML out", once("xml_out", 1000), BULK),
        (1000, "XML in", once("xml_in", 200), BULK),
        (1000, f"events to {SUBSCRIBERS} subscribers", lambda path: events_per_second(path, SUBSCRIBERS, 10), BULK),
        (10000, "list of 10,000 guests", once("names", 3), BULK),
        (10000, "list of 10,000 guests, each one's state", once("list", 1), BULK),
    ]
    for count in (1000, 10000):
        rows = [row for row in plan if row[0] == count and only in row[1]]
        if rows:
            with filled(theirs, count), filled(ours, count):
                for _, name, measure, limit in rows:
                    yield compared(name, measure, ours, theirs, rounds, limit)


@contextlib.contextmanager
def storage_daemon(lab: Lab) -> Iterator[Path]:
    """Our virtstoraged in a lab, with an empty directory pool called "bench"."""
    directory = Path("/run/lab/ours")
    outside = lab.outside(directory)
    outside.mkdir()
    (outside / "conf").write_text(
        f'unix_sock_dir = "{directory}"\nauth_unix_rw = "none"\nlog_level = 4\nlog_outputs = "4:stderr"\n'
    )
    twistd = Path(sys.executable).parent / "twistd"
    command = (twistd, "-n", "--pidfile=", "virtstoraged", "-f", directory / "conf", "-p", directory / "pid")
    process = lab.popen(*command, stdout=subprocess.DEVNULL)
    path = outside / "virtstoraged-sock"
    wait_for(path, process)
    virsh("-c", Places.uri(path, "storage"), "pool-create-as", "bench", "dir", "--target", "/run/ours", "--build")
    yield path


def of_storage_drivers(rounds: int, only: str) -> Iterator[Figure]:
    """Volumes of a directory pool."""
    names = [name for name in ("upload", "download") if only in f"volume {name}"]
    if not names:
        return
    with Lab() as lab, Lab() as second, storage_daemon(second) as ours:
        lab.libvirtd(BACKEND_SOCKETS)
        theirs = lab.outside(BACKEND_SOCKETS / "libvirt-sock")
        virsh("-c", Places.uri(theirs), "pool-create-as", "bench", "dir", "--target", "/run/bench", "--build")
        for name in names:

            def measure(path: Path, name: str = name) -> float:
                driver = "storage" if path == ours else "qemu"
                return client(name, Places.uri(path, driver), 512)["mib_per_second"]

            yield compared(f"volume {name}, MiB", measure, ours, theirs, rounds, BULK)


def measured(rounds: int, only: str) -> Iterator[Figure]:
    """Every figure, in the table's order."""
    with Lab() as lab, proxy({}) as ours:
        lab.libvirtd(BACKEND_SOCKETS)
        yield from of_test_drivers(ours.path, lab.outside(BACKEND_SOCKETS / "libvirt-sock"), rounds, only)
    yield from of_storage_drivers(rounds, only)


def main() -> None:
    """Measure, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(description="Measure the local drivers side by side with C libvirtd's.")
    parser.add_argument("--json", type=Path, default=Path("drivers.json"), help="where the figures go")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each pair (5)")
    parser.add_argument("--only", default="", metavar="WORD", help="the figures whose names have this in them")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark starts its own libvirtd in namespaces: run it as root")
    figures = []
    for figure in measured(options.rounds, options.only):
        show(figure)
        figures.append(figure)
    document: dict[str, Any] = {"cpus": os.cpu_count(), "figures": [asdict(figure) for figure in figures]}
    options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
