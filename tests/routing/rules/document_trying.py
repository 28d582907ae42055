# SPDX-License-Identifier: LGPL-2.1-or-later
"""A policy that tests write down, and a client of a proxy that judges documents by it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.routing.rules.document_cases import POOL, VOLUME
from tests.routing.test_session import Daemons
from virtproxy.access.claims.model import Claim, refusal
from virtproxy.access.decision import GRANTED, Decision, Thing
from virtproxy.access.objects import Ref
from virtproxy.access.things import place_of
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.directory import Known
from virtproxy.routing.families import Target
from virtproxy.rpc.client import ClientConnection


class Allowing:
    """Grants claims by patterns "kind value"; everything to the uid 0 if there are none."""

    reporting = False

    def __init__(self, *patterns: str) -> None:
        self.patterns = patterns
        self.judged: list[str] = []
        self.permissions: set[str] = set()

    def unlimited(self, identity: Identity) -> bool:
        return not self.patterns

    def profile(self, identity: Identity) -> Hashable:
        return None

    def always(self, identity: Identity, kind: str, permission: str) -> bool | None:
        return None

    def decide(self, identity: Identity, permission: str, thing: Thing) -> Decision:
        return Decision(f"{thing.kind}:{permission} {thing.name}" in self.permissions)

    def judge(self, identity: Identity, claims: Sequence[Claim]) -> Decision:
        for claim in claims:
            told = f"{claim.kind} {claim.value}"
            self.judged.append(told)
            # What may be written may be read.
            granting = {told, told.replace("readonly_file ", "file ", 1)}
            if not any(fnmatchcase(each, pattern) for pattern in self.patterns for each in granting):
                if self.reporting:
                    return Decision(True, "report", refusal(claim), pretended=True)
                return Decision(False, "no rule", refusal(claim))
        return GRANTED


class Daemon:
    """What the directory's own connection is answered."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    place = place_of("storage", "storage:///system")

    def of(self, target: Target, user: object) -> Daemon:
        return self

    def known(self, ref: Ref) -> None:
        return None

    async def find(self, ref: Ref, within: Thing | None = None) -> Known | None:
        if "STORAGE_VOL_LOOKUP_BY_NAME" not in self.answers:
            return None
        return Known(Thing(ref.kind, "storage", "storage:///system", str(ref.value)), False)

    def leave(self, user: object) -> None:
        self.answers = {}

    async def ask(self, procedure: Any, args: Any) -> Any:
        self.asked.append(procedure.name)
        answer = self.answers.get(procedure.name)
        if answer is None:
            raise VirtError.of(ErrorCode.NO_STORAGE_VOL)
        if isinstance(answer, VirtError):
            raise answer
        return answer


def volume_at(path: object) -> dict[str, Any]:
    """The answers of a storage daemon that has one volume."""
    return {
        "STORAGE_POOL_LOOKUP_BY_NAME": remote.StoragePoolLookupByNameRet(pool=POOL),
        "STORAGE_VOL_LOOKUP_BY_NAME": remote.StorageVolLookupByNameRet(vol=VOLUME),
        "STORAGE_VOL_GET_PATH": remote.StorageVolGetPathRet(name=str(path)),
    }


def guest(xml: str) -> dict[str, Any]:
    """The answers of a daemon that keeps one guest."""
    return {
        "DOMAIN_GET_XML_DESC": remote.DomainGetXmlDescRet(xml=xml),
        "DOMAIN_HAS_MANAGED_SAVE_IMAGE": remote.DomainHasManagedSaveImageRet(result=0),
    }


def qcow2(backing: bytes) -> bytes:
    return b"QFI\xfb" + struct.pack(">IQI", 2, 80, len(backing)) + bytes(60) + backing


def inline(work: Callable[[], Any]) -> Any:
    """In place of a thread."""

    async def result() -> Any:
        return work()

    return result()


class Tried:
    """A client of a proxy whose document stage allows `patterns`."""

    def __init__(self, proxy_client: ClientConnection, judge: Allowing, daemons: Daemons) -> None:
        self.client, self.judge, self.daemons = proxy_client, judge, daemons

    def reached(self) -> list[str]:
        sessions = [session for daemon in self.daemons.values() for session in daemon.script.sessions]
        own = {"AUTH_LIST", "CONNECT_OPEN", "CONNECT_SET_IDENTITY"}
        return [procedure.name for session in sessions for procedure, _ in session.calls if procedure.name not in own]

    async def denied(self, procedure: Any, args: Any) -> str:
        """The refusal's text; the daemon must not have heard of the call."""
        before = self.reached()
        with pytest.raises(VirtError) as caught:
            await self.client.call(procedure, args)
        assert self.reached() == before
        assert caught.value.code in (ErrorCode.ACCESS_DENIED, ErrorCode.XML_ERROR), caught.value
        return str(caught.value)

    async def passes(self, procedure: Any, args: Any) -> None:
        """The call reaches its daemon, whatever that says."""
        before = len(self.reached())
        try:
            await self.client.call(procedure, args)
        except VirtError as error:
            assert "not here" in str(error), error
        assert self.reached()[before:] == [procedure.name]
