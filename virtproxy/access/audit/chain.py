# SPDX-License-Identifier: LGPL-2.1-or-later
"""The chain of an audit log: each line carries the hash of the one before, and with a key a MAC of its own.

``logfile`` seals lines with it, ``verify`` checks them. A line is ``{"prev":"LINK","seq":N,...}`` in ASCII; its link is
the SHA-256 of it without the newline. With a key the link is the HMAC-SHA-256 of the line without its last member
``"mac"``, whose value it is: whoever lacks the key can neither change a line nor make a chain anew.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

# What the first line of all carries in place of a link.
START = "0" * 64
_MAC = b',"mac":"'
# `,"mac":"`, 64 digits, `"}`
_MAC_SIZE = len(_MAC) + 64 + 2


class Seal:
    """Makes and checks links; `key` is None for a plain chain."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key

    @property
    def keyed(self) -> bool:
        """Whether lines have a MAC."""
        return self._key is not None

    def line(self, prev: str, number: int, members: str) -> tuple[bytes, str]:
        """Return the line of sequence number `number`, newline included, and its link.

        `members` is the rest of the JSON object without braces, in ASCII.
        """
        body = b'{"prev":"%b","seq":%d,%b}' % (prev.encode(), number, members.encode("ascii"))
        if self._key is None:
            return body + b"\n", sha256(body).hexdigest()
        link = hmac.digest(self._key, body, "sha256").hex()
        return b'%b%b%b"}\n' % (body[:-1], _MAC, link.encode()), link

    def link(self, line: bytes) -> str | None:
        """Return the link of a line without its newline; None if a key says that it is not genuine."""
        if self._key is None:
            return plain_link(line)
        mac = _mac(line)
        if mac is None:
            return None
        link = hmac.digest(self._key, line[:-_MAC_SIZE] + b"}", "sha256").hex()
        return link if hmac.compare_digest(link, mac) else None


def plain_link(line: bytes) -> str:
    """The link of a line that nobody can check for want of the key: what its MAC says, else its SHA-256."""
    return _mac(line) or sha256(line).hexdigest()


def _mac(line: bytes) -> str | None:
    end = line[-_MAC_SIZE:]
    if not end.startswith(_MAC) or not end.endswith(b'"}'):
        return None
    return end[len(_MAC) : -2].decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class Entry:
    """One whole line, taken apart: `members` is all of it, `raw` the line without its newline."""

    raw: bytes
    prev: str
    number: int
    members: dict[str, Any]

    @property
    def event(self) -> str:
        """What it records."""
        return str(self.members.get("event", ""))


def entry_of(raw: bytes) -> Entry | None:
    """Return a line (without its newline) taken apart; None if it is no line of an audit log."""
    try:
        members = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None
    prev, number = members.get("prev"), members.get("seq")
    if not isinstance(prev, str) or len(prev) != 64 or type(number) is not int or number < 1:
        return None
    return Entry(raw, prev, number, members)
