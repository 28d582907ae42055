# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many conversations of bad packets, each made again from its own seed.

``python -m tests.fuzz`` runs a million packets, ``test_fuzz`` fewer. What is found is raised with the seed that
finds it again.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from tests.fuzz import targets
from tests.fuzz.corpus import to_client, to_server
from tests.fuzz.mutation import Mutator

PACKETS_EACH = 50
# Few, so that stream packets meet their streams and calls meet calls of the same number.
SERIALS = 5
URIS = (*["test:///default"] * 5, *["qemu:///system"] * 3, "network:///system", None)
# Caches fill and the allocator finds its size in the first conversations; after them nothing may grow.
WARM_UP = 0.3
GROWTH_KIB = 6 * 1024


class Finding(AssertionError):
    """Something went wrong that must not; the message says how to see it again."""


@dataclass
class Report:
    """What a campaign did."""

    frames: int
    conversations: int
    seconds: float
    growth_kib: int

    def __str__(self) -> str:
        rate = self.frames / self.seconds
        return (
            f"{self.frames} fuzzed frames in {self.conversations} conversations, {self.seconds:.1f} s"
            f" ({rate:.0f} frames/s); memory grew by {self.growth_kib} KiB; no finding"
        )


@implementer(ILogObserver)
class _Failures:
    """Raises what anybody logged as a failure: nothing a client sends may get that far."""

    def __init__(self) -> None:
        self.seen: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if "log_failure" in event:
            self.seen.append(event)


class Campaign:
    """Conversations number 0, 1, 2 ... of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._server = targets.ServerEnd()
        self._client = targets.ClientEnd()
        self._failures = _Failures()

    def run(self, frames: int) -> Report:
        """Send at least that many packets; raises Finding."""
        conversations = -(-frames // PACKETS_EACH)
        warm = int(conversations * WARM_UP)
        begin, memory, descriptors = time.perf_counter(), 0, 0
        globalLogPublisher.addObserver(self._failures)
        try:
            for number in range(conversations):
                if number == warm:
                    memory, descriptors = resident_kib(), open_fds()
                self.converse(number)
        finally:
            globalLogPublisher.removeObserver(self._failures)
        report = Report(conversations * PACKETS_EACH, conversations, time.perf_counter() - begin,
                        resident_kib() - memory)  # fmt: skip
        if report.growth_kib > GROWTH_KIB or open_fds() != descriptors:
            raise Finding(f"it grew: {report}, {open_fds()} descriptors, {descriptors} before")
        return report

    def converse(self, number: int) -> None:
        """One conversation with every target; raises Finding."""
        random = Random(f"{self.seed}/{number}")
        for_client = number % 4 == 0
        known = to_client() if for_client else to_server()
        mutator = Mutator(random, known, targets.OUTSTANDING + 2 if for_client else SERIALS)
        stream = b"".join(mutator.packet() for _ in range(PACKETS_EACH))
        pieces = list(mutator.cut(stream))
        try:
            targets.wire(pieces)
            if for_client:
                self._client.converse(pieces)
            else:
                self._server.converse(random.choice(URIS), pieces)
        except Exception as failure:
            raise Finding(f"{self._again(number)}: {type(failure).__name__}: {failure}") from failure
        if self._failures.seen:
            logged = self._failures.seen[0]["log_failure"]
            raise Finding(f"{self._again(number)}: {logged.getTraceback()}")

    def _again(self, number: int) -> str:
        return f"see it again with: python -m tests.fuzz --seed {self.seed} --only {number}"


def resident_kib() -> int:
    """Resident memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def open_fds() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
