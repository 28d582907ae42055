# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chooses records of an audit log: by who, what, which object, when, how it ended.

``virtproxy audit show`` and ``follow`` ask it for every record. A record is the dictionary that its line is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show; None and False do not ask. Texts are patterns with * and ?, times are as in the records."""

    subject: str | None = None
    object: str | None = None
    procedure: str | None = None
    event: str | None = None
    client: int | None = None
    since: str | None = None
    until: str | None = None
    denied: bool = False
    errors: bool = False

    def takes(self, record: Record) -> bool:
        """Whether the record is to be shown."""
        time = str(record.get("time", ""))
        return (
            (self.since is None or time >= self.since)
            and (self.until is None or time < self.until)
            and (self.client is None or record.get("client") == self.client)
            and (self.event is None or fnmatchcase(str(record.get("event")), self.event))
            and (self.procedure is None or _like(record.get("procedure"), self.procedure))
            and (self.subject is None or any(fnmatchcase(word, self.subject) for word in subject_words(record)))
            and (self.object is None or any(fnmatchcase(word, self.object) for word in object_words(record)))
            and (not self.denied or record.get("decision") in ("denied", "would deny"))
            and (not self.errors or record.get("result") not in (None, "ok"))
        )


def _like(text: object, pattern: str) -> bool:
    return isinstance(text, str) and fnmatchcase(text.upper(), pattern.upper())


def subject_words(record: Record) -> Iterator[str]:
    """What a subject can be asked for by: its names, "uid:0" and "sasl:fred@REALM", its address."""
    subject = record.get("subject")
    if isinstance(subject, dict):
        for key, value in subject.items():
            yield f"{key}:{value}"
            if isinstance(value, str):
                yield value
    if record.get("address"):
        yield str(record["address"])


def object_words(record: Record) -> Iterator[str]:
    """What an object can be asked for by: its name, its UUID, "domain:web"."""
    for thing in record.get("objects", ()):
        if isinstance(thing, dict):
            for key in ("name", "uuid", "key"):
                if key in thing:
                    yield str(thing[key])
                    yield f"{thing.get('kind')}:{thing[key]}"


def subject_text(record: Record) -> str:
    """Who, in a word: the strongest name there is."""
    subject = record.get("subject")
    if not isinstance(subject, dict):
        return "-"
    for key in ("sasl", "x509", "user"):
        if subject.get(key):
            return str(subject[key])
    return f"uid {subject['uid']}" if "uid" in subject else "anonymous"


def object_text(record: Record) -> str:
    """Which object, in a word."""
    things = [thing for thing in record.get("objects", ()) if isinstance(thing, dict)]
    shown = [str(thing.get("name") or thing.get("key") or thing.get("uuid") or thing.get("kind")) for thing in things]
    return " ".join(shown) if len(shown) < 4 else f"{' '.join(shown[:3])} and {len(shown) - 3} more"


def result_text(record: Record) -> str:
    """How it ended, in a phrase."""
    if record.get("decision") == "denied":
        return f"DENIED {_message(record)}"
    if record.get("decision") == "would deny":
        return f"ok (would deny: {record.get('missing') or record.get('rule') or ''})"
    result = record.get("result")
    if result is None:
        pairs = [f"{key}={record[key]}" for key in ("uri", "reason", "files", "from", "bytes", "pid") if key in record]
        return " ".join(pairs)
    return "ok" if result == "ok" else f"{result}: {_message(record)}"


def _message(record: Record) -> str:
    error = record.get("error")
    if isinstance(error, dict):
        return str(error.get("message", ""))
    return str(record.get("missing") or record.get("reason") or "")
