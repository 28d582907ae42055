# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short run of what ``tox -e fuzz`` does at length, and proof that it would notice."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import targets
from tests.fuzz.campaign import Campaign, Finding
from tests.fuzz.corpus import packets
from tests.fuzz.mutation import Mutator
from virtproxy.protocol import remote
from virtproxy.routing.session import Session
from virtproxy.wire.frame import REPLY, pack
from virtproxy.wire.framer import FrameError, Framer

FRAMES = 50_000


@pytest.mark.timeout(120)
def test_bad_packets_are_answered_or_close_and_leave_nothing() -> None:
    # In a process of its own: memory and descriptors are counted, and other tests' leftovers come and go here.
    command = [sys.executable, "-m", "tests.fuzz", "--frames", str(FRAMES), "--seed", "20240229"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    frames = re.search(r"(\d+) fuzzed frames.*no finding", done.stdout)
    assert frames is not None and int(frames[1]) >= FRAMES


def test_the_packets_are_of_every_kind() -> None:
    mutator = Mutator(Random(1), packets())
    seen: Counter[str] = Counter()
    for _ in range(5000):
        packet = mutator.packet()
        seen["good" if packet in packets() else "bad"] += 1
        try:
            seen["whole"] += len(Framer().feed(packet)) == 1
        except FrameError:
            seen["broken"] += 1
    assert seen["good"] > 100
    assert seen["broken"] > 10
    assert seen["whole"] > 4000


def test_the_same_seed_makes_the_same_packets() -> None:
    one, other = (Mutator(Random(7), packets()) for _ in range(2))
    assert [one.packet() for _ in range(100)] == [other.packet() for _ in range(100)]


def test_a_server_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, frame: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(targets.FakeBackend, "stream", broken)
    monkeypatch.setattr(Session, "call", broken)
    with pytest.raises(Finding, match="--seed 3 --only"):
        Campaign(seed=3).run(1000)


def test_an_answer_nobody_asked_for_is_found() -> None:
    asked = targets.Asked()
    asked.see(remote.AUTH_LIST.call_frame(5, None).raw)
    answer = pack(remote.PROGRAM.number, 1, remote.AUTH_LIST.number, REPLY, 5, 0).raw
    asked.answered(answer)
    with pytest.raises(AssertionError, match="answers no call"):
        asked.answered(answer)
