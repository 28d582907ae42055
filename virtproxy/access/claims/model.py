# SPDX-License-Identifier: LGPL-2.1-or-later
"""A claim: one thing of the host that a document or a call names, and whoever judges it.

The readers of this package make claims, `routing/rules/documents.py` has them judged before the call goes on, a
policy implements `Judge`. Nothing here knows documents or policies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from virtproxy.access.claims.kinds import KEYS, KINDS, Kind
from virtproxy.access.decision import Decision
from virtproxy.identity import Identity

__all__ = ["KEYS", "KINDS", "Claim", "Judge", "Kind", "as_read", "as_written", "refusal"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing of the host that somebody asks for.

    `value` is what must be granted; `written` is what stands in the document. A path that leads elsewhere over
    links makes two claims with the same `written`: the path as it stands and the path that it leads to.
    """

    kind: str
    value: str
    written: str
    where: str

    def __str__(self) -> str:
        """What a refusal calls it: "disk source /etc/shadow (as /images/link)"."""
        told = f"{KINDS[self.kind].phrase} {self.value}"
        return told if self.written == self.value or not self.written else f"{told} (as {self.written})"

    @property
    def key(self) -> str:
        """The key of a policy's `documents` section that would grant it."""
        return KINDS[self.kind].key


def as_read(claim: Claim) -> Claim:
    """The claim of a file or device that is only read."""
    return replace(claim, kind="readonly_file") if claim.kind in ("file", "block") else claim


def as_written(claim: Claim) -> Claim:
    """The claim of a file that is written whatever its document says."""
    return replace(claim, kind="file") if claim.kind == "readonly_file" else claim


class Judge(Protocol):
    """Decides about claims: a policy. Must be quick and must not raise.

    `reporting`: it refuses nothing, and decisions say in `pretended` what it would.
    """

    @property
    def reporting(self) -> bool: ...

    def unlimited(self, identity: Identity) -> bool:
        """Whether every claim of every kind is granted to the caller, so that documents need not be read."""

    def judge(self, identity: Identity, claims: Sequence[Claim]) -> Decision:
        """Granted if every claim is; else `missing` names the first that is not, by `refusal`."""


def refusal(claim: Claim) -> str:
    """The phrase that says which claim is not granted and where it would be."""
    where = f" at {claim.where}" if claim.where else ""
    return f"{claim}{where} is not granted (documents.{claim.key})"
