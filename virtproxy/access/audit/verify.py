# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks an audit log from its first line to its last, over all its files.

``virtproxy audit verify`` calls it. It says where the chain first breaks and why, and what else a reader should know:
gaps that the log itself reports, lines that a crash tore, files that are gone. It reads and judges, and writes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from virtproxy.access.audit import files
from virtproxy.access.audit.chain import START, Entry, Seal, entry_of

# How much may lie between two lines and be explained by a record of it.
_TORN_MAX = 256 * 1024 * 1024


@dataclass(slots=True)
class Verdict:
    """What was found. `broken` is None if the chain holds, else a sentence that names file and line."""

    broken: str | None = None
    files: int = 0
    lines: int = 0
    first: int | None = None
    last: int | None = None
    link: str | None = None
    gaps: int = 0
    lost: int = 0
    refused: int = 0
    torn: int = 0
    unclean: int = 0
    anchors: int = 0
    notes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For scripts."""
        names = Verdict.__slots__
        return {"ok": self.broken is None} | {name: getattr(self, name) for name in names}


class _Broken(Exception):
    """Here the log is not as it was written; the text is a sentence."""


class Verifier:
    """Reads the lines of a log in order. `anchors` are links that are known from elsewhere, by sequence number."""

    def __init__(self, key: bytes | None = None, anchors: Mapping[int, str] | None = None) -> None:
        self.verdict = Verdict()
        self._seal = Seal(key)
        self._anchors = dict(anchors or {})
        self._link: str | None = None
        self._place = ""
        # Lines that are none, and where they began: a record of them must follow.
        self._odd: list[bytes] = []
        self._odd_place = ""
        self._running = False

    def run(self, paths: Iterable[str], progress: Callable[[str], None] = lambda path: None) -> Verdict:
        """Check the files, which must be in order. Raises OSError for one that cannot be read."""
        try:
            for path in paths:
                progress(path)
                self._file(path)
            self._end()
        except _Broken as problem:
            self.verdict.broken = str(problem)
        self.verdict.link = self._link
        return self.verdict

    def _file(self, path: str) -> None:
        self._settle_odd("the file ends")
        self.verdict.files += 1
        with files.opened(path) as stream:
            for number, line in enumerate(files.lines(stream), 1):
                self._place = f"{path}:{number}"
                self._line(line)

    def _line(self, line: bytes) -> None:
        entry = entry_of(line[:-1]) if line.endswith(b"\n") else None
        if entry is None:
            if not self._odd:
                self._odd_place = self._place
            self._odd.append(line)
            if sum(map(len, self._odd)) > _TORN_MAX:
                self._settle_odd("there is more of it")
        elif self._odd:
            self._explained(entry)
        else:
            self._entry(entry)

    def _explained(self, entry: Entry) -> None:
        """What was no line must be what this record says was found."""
        found = b"".join(self._odd)
        size = entry.members.get("bytes")
        if entry.event != "torn" or type(size) is not int or found[size:] not in (b"", b"\n"):
            self._settle_odd("the next line does not speak of it")
        if hashlib.sha256(found[:size]).hexdigest() != entry.members.get("sha256"):
            self._settle_odd("the next line speaks of something else")
        self._odd.clear()
        self.verdict.torn += 1
        self._note(f"{size} bytes of a line that was never finished, which the log itself reports", self._odd_place)
        self._entry(entry)

    def _settle_odd(self, why: str) -> None:
        if self._odd:
            raise _Broken(f"{self._odd_place}: this is no line of an audit log, and {why}")

    def _entry(self, entry: Entry) -> None:
        if self._link is None:
            self._first(entry)
        elif entry.number != (self.verdict.last or 0) + 1:
            raise _Broken(
                f"{self._place}: line {entry.number} follows line {self.verdict.last}: "
                + ("lines are missing" if entry.number > (self.verdict.last or 0) else "it was put in")
            )
        elif entry.prev != self._link:
            raise _Broken(
                f"{self._place}: line {entry.number} does not continue line {self.verdict.last}: "
                "one of the two was changed"
            )
        self._follow(entry)

    def _first(self, entry: Entry) -> None:
        self.verdict.first = entry.number
        if entry.number == 1 and entry.prev != START:
            raise _Broken(f"{self._place}: the first line of all continues another")
        if entry.number > 1:
            self._note(f"the log begins at line {entry.number}: what was before is in files that are not here")

    def _follow(self, entry: Entry) -> None:
        link = self._seal.link(entry.raw)
        if link is None:
            raise _Broken(f"{self._place}: line {entry.number} was changed, or was not made with this key")
        anchor = self._anchors.pop(entry.number, None)
        if anchor is not None:
            if anchor != link:
                raise _Broken(f"{self._place}: line {entry.number} is not the one that the anchor names")
            self.verdict.anchors += 1
        self._link = link
        self.verdict.last = entry.number
        self.verdict.lines += 1
        self._read(entry)

    def _read(self, entry: Entry) -> None:
        """What the log says about itself."""
        event, members, verdict = entry.event, entry.members, self.verdict
        if event == "gap":
            verdict.gaps += 1
            verdict.lost += _number(members, "lost")
            verdict.refused += _number(members, "refused")
            lost, refused = _number(members, "lost"), _number(members, "refused")
            self._note(f"it could not be written for a while ({members.get('reason')}): {lost} lost, {refused} refused")
        elif event == "truncated":
            self._note(f"somebody cut {members.get('bytes')} bytes off while the daemon ran")
        elif event == "start":
            if self._running:
                verdict.unclean += 1
                self._note("the daemon started again without having ended")
            self._running = True
        elif event == "stop":
            self._running = False
        elif event == "removed":
            self._note(f"older files were removed as configured: {', '.join(map(str, members.get('files', ())))}")

    def _end(self) -> None:
        # What a crash leaves has no end; anything else was put there.
        if self._odd and (len(self._odd) > 1 or self._odd[0].endswith(b"\n")):
            self._settle_odd("the log ends")
        if self._odd:
            self._note(
                f"{len(b''.join(self._odd))} bytes of a line that was never finished; "
                "the daemon will report them when it starts",
                self._odd_place,
            )
            self.verdict.torn += 1
        missing = sorted(number for number in self._anchors if number >= (self.verdict.first or 1))
        if missing:
            raise _Broken(f"the log ends at line {self.verdict.last or 0}, but an anchor names line {missing[-1]}")

    def _note(self, text: str, place: str | None = None) -> None:
        self.verdict.notes.append(f"{place or self._place}: {text}")


def _number(members: Mapping[str, Any], name: str) -> int:
    value = members.get(name)
    return value if type(value) is int else 0


def logs(paths: Iterable[str]) -> list[list[str]]:
    """The logs at `paths`, each as its files in order: of a directory each *.jsonl; all the named files are one log.

    A named file brings its rotated ones along. Raises OSError, FileNotFoundError where there is nothing.
    """
    named: list[str] = []
    found: list[list[str]] = []
    for path in paths:
        if os.path.isdir(path):
            bases = sorted(name for name in os.listdir(path) if name.endswith(".jsonl"))
            found += [files.family(os.path.join(path, base)) for base in bases]
        else:
            family = files.family(path)
            if not family and not path.endswith(files.OURS):
                raise FileNotFoundError(2, "there is no such file", path)
            named += family
    found += [named] if named else []
    return [files.in_order(list(dict.fromkeys(group))) for group in found]
