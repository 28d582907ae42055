# SPDX-License-Identifier: LGPL-2.1-or-later
"""Verification: whatever is done to a log is found, and where."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.access.audit.conftest import KEY, Log
from virtproxy.access.audit import files
from virtproxy.access.audit.chain import START, Seal, entry_of
from virtproxy.access.audit.recorder import Rotation
from virtproxy.access.audit.verify import Verdict, Verifier, logs

Fill = Callable[[int], None]
Lines = list[bytes]


def verdict(log: Log, key: bytes | None = None, anchors: dict[int, str] | None = None) -> Verdict:
    (paths,) = logs([log.path])
    return Verifier(key, anchors).run(paths)


def edit(log: Log, change: Callable[[Lines], Lines]) -> None:
    path = Path(log.path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], ":4: line 5 follows line 3: lines are missing"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], ":4: line 5 follows line 3"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], ":5: line 4 follows line 4: it was put in"),
        (lambda lines: [lines[0].replace(b":0}", b":9}"), *lines[1:]], ":2: line 2 does not continue line 1"),
        (lambda lines: [*lines[:3], lines[3].replace(b"test", b"tset"), *lines[4:]], ":5: line 5 does not continue"),
        (lambda lines: [*lines[:3], b"\n", *lines[3:]], ":4: this is no line of an audit log, and the next line"),
        (lambda lines: [*lines[:3], lines[3][:30] + b"\n", *lines[4:]], ":4: this is no line"),
        (lambda lines: [lines[0].replace(b"00", b"11", 1), *lines[1:]], ":1: the first line of all continues another"),
    ],
)
def test_what_was_changed_is_found(log: Log, filled: Fill, change: Callable[[Lines], Lines], broken: str) -> None:
    filled(8)
    assert verdict(log).broken is None
    edit(log, change)
    found = verdict(log)
    assert found.broken is not None and broken in found.broken


def test_every_changed_byte_but_the_last_lines_is_found(log: Log, filled: Fill) -> None:
    filled(3)
    path = Path(log.path)
    text = path.read_bytes()
    last = len(text.splitlines(keepends=True)[-1])
    for place in range(len(text) - last):
        path.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        assert verdict(log).broken is not None, text[place - 5 : place + 5]


def test_with_a_key_the_last_line_is_safe_too_and_no_chain_can_be_made_anew(log: Log, filled: Fill) -> None:
    log.key = KEY
    filled(4)
    assert verdict(log, KEY).broken is None
    text = Path(log.path).read_bytes()
    edit(log, lambda lines: [*lines[:-1], lines[-1].replace(b"test", b"tset")])
    assert "was changed, or was not made with this key" in str(verdict(log, KEY).broken)
    # Somebody rebuilds the chain without the key.
    link, lines = START, []
    for number, line in enumerate(text.splitlines(), 1):
        members = line.split(b",", 2)[2].rpartition(b',"mac"')[0].replace(b"test", b"tset").decode()
        made, link = Seal(b"not the key, which nobody has...").line(link, number, members)
        lines.append(made)
    edit(log, lambda _: lines)
    assert verdict(log).broken is None, "it looks well to who has no key"
    assert verdict(log, KEY).broken is not None


def test_a_cut_end_is_found_with_an_anchor(log: Log, filled: Fill) -> None:
    filled(8)
    found = verdict(log)
    assert found.link is not None
    anchors = {8: found.link}
    assert verdict(log, anchors=anchors).anchors == 1
    edit(log, lambda lines: lines[:-2])
    assert verdict(log).broken is None, "the chain alone cannot know"
    assert "ends at line 6, but an anchor names line 8" in str(verdict(log, anchors=anchors).broken)
    edit(log, lambda lines: lines[:1])
    assert "not the one that the anchor names" in str(verdict(log, anchors={1: "f" * 64}).broken)


def test_a_missing_file_is_found(log: Log) -> None:
    log.rotation = Rotation(size=1000)
    recorder = log.start()
    for number in range(60):
        recorder.event("test", ("number", number))
    os.unlink(files.rotated(log.path)[3])
    assert "lines are missing" in str(verdict(log).broken)


def test_files_are_taken_in_order_whatever_their_names(log: Log) -> None:
    recorder = log.start()
    for name in ("z", "a", "m"):
        recorder.event("test")
        os.rename(log.path, f"{log.path}.{name}")
        recorder.tick()
    assert verdict(log).broken is None
    assert Verifier().run(logs([str(Path(log.path).parent)])[0]).lines == 6
    names = [f"{log.path}{rest}" for rest in ("", ".a", ".lock", ".m", ".z")]
    assert len(logs(names)[0]) == 4, "as a shell's pattern would have it"


def test_what_the_log_says_itself_is_told(log: Log) -> None:
    recorder = log.start()
    recorder.event("start")
    recorder.event("gap", ("reason", "full"), ("lost", 2), ("refused", 3))
    recorder.event("start")
    recorder.event("stop")
    recorder.event("start")
    found = verdict(log)
    assert (found.gaps, found.lost, found.refused, found.unclean) == (1, 2, 3, 1)
    assert found.document()["ok"] is True


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        logs([str(tmp_path / "none.jsonl")])
    assert logs([str(tmp_path)]) == []


def test_an_entry_keeps_its_line(log: Log, filled: Fill) -> None:
    filled(1)
    entry = entry_of(Path(log.path).read_bytes()[:-1])
    assert entry is not None and (entry.number, entry.event, entry.prev) == (1, "test", START)
