# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document stage: which calls it judges, what it refuses before a daemon hears of it, and what it reads again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast, get_type_hints

import pytest
import pytest_twisted

from tests.routing.conftest import MakeProxy
from tests.routing.rules.document_cases import DENIED, DOMAIN, GUEST, POOL, SHADOW, VOLUME, disk
from tests.routing.test_session import Daemons
from virtproxy.access.claims.model import Claim, refusal
from virtproxy.access.decision import GRANTED, Decision, Thing
from virtproxy.access.objects import Ref
from virtproxy.access.things import place_of
from virtproxy.errors import VirtError
from virtproxy.identity import Identity
from virtproxy.protocol import programs, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.directory import Known
from virtproxy.routing.families import Target
from virtproxy.routing.rules.document_calls import CALLS, HARMLESS
from virtproxy.routing.rules.documents import Documents
from virtproxy.rpc.client import ClientConnection

PROCEDURES = [
    procedure
    for program in (programs.BY_NUMBER[number] for number in programs.BY_NUMBER)
    if program.name in ("remote", "qemu", "lxc")
    for procedure in program.procedures.values()
    if not procedure.event
]


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
            if not any(fnmatchcase(told, pattern) for pattern in self.patterns):
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
        return Known(Thing(ref.kind, "storage", "storage:///system", ref.value), False)

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


@pytest.fixture
def trying(make_proxy: MakeProxy, daemons: Daemons) -> Callable[..., Any]:
    async def tried(*patterns: str, reporting: bool = False, **answers: Any) -> Tried:
        judge = Allowing(*patterns)
        judge.reporting = reporting
        sockets = {driver: daemon.path for driver, daemon in daemons.items()}
        for driver in ("storage", "nodedev", "nwfilter", "secret", "interface"):
            sockets[driver] = sockets["network"]
        proxy = make_proxy(
            sockets=sockets, stages=[Documents(judge, None, lambda session: cast(Any, Daemon(**answers)), inline)]
        )
        return Tried(await proxy.client("qemu:///system"), judge, daemons)

    return tried


def test_every_text_that_a_call_carries_is_in_a_table() -> None:
    for procedure in PROCEDURES:
        hints = get_type_hints(procedure.args, include_extras=True) if procedure.args else {}
        texts = [name for name, hint in hints.items() if "Annotated[str" in str(hint) or "TypedParam" in str(hint)]
        cookies = [name for name in hints if name.startswith("cookie")]
        call = CALLS.get(procedure.name)
        assert not (texts or cookies) or call or procedure.name in HARMLESS, procedure
        for argument in (*call.documents, *call.words) if call else ():
            assert argument in hints, procedure
        assert not (call and call.typed) or "params" in hints
        if cookies and call is not None:
            assert set(cookies) <= set(call.documents), procedure
    names = {procedure.name for procedure in PROCEDURES}
    assert set(CALLS) | set(HARMLESS) <= names
    assert not set(CALLS) & set(HARMLESS)


def test_calls_of_descriptors_are_known() -> None:
    carrying = {procedure.name for procedure in PROCEDURES if procedure.fds}
    known = set(CALLS) | set(HARMLESS) | {"DOMAIN_OPEN_GRAPHICS", "DOMAIN_OPEN_GRAPHICS_FD"}
    assert carrying <= known


@pytest_twisted.ensureDeferred
async def test_what_is_not_granted_is_refused_before_a_daemon_hears_of_it(trying: Callable[..., Any]) -> None:
    tried = await trying("file /images/*", "save_file /save/*", "pool_source discover:*")
    for procedure, args, told in DENIED:
        assert told in await tried.denied(procedure, args), procedure


@pytest_twisted.ensureDeferred
async def test_the_same_passes_where_it_is_granted(trying: Callable[..., Any]) -> None:
    tried = await trying("*")
    saved = remote.DomainSaveImageGetXmlDescRet(xml="<domain/>")
    tried = await trying("*", DOMAIN_SAVE_IMAGE_GET_XML_DESC=saved)
    for procedure, args, told in DENIED:
        if not told.startswith(("line", "begins")):
            await tried.passes(procedure, args)


@pytest_twisted.ensureDeferred
async def test_a_caller_without_limits_is_not_looked_at(trying: Callable[..., Any]) -> None:
    tried = await trying()
    await tried.passes(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml="<domain"))
    assert tried.judge.judged == []


@pytest_twisted.ensureDeferred
async def test_what_would_be_refused_passes_while_the_policy_only_reports(trying: Callable[..., Any]) -> None:
    tried = await trying("file /images/*", reporting=True)
    await tried.passes(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=DOMAIN))
    await tried.passes(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml="<domain"))
    assert "file /etc/shadow" in tried.judge.judged


@pytest_twisted.ensureDeferred
async def test_links_and_headers_count(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    (tmp_path / "image").write_bytes(qcow2(b"/etc/shadow"))
    tried = await trying(f"file {tmp_path}/*")
    for xml in (disk(tmp_path / "link"), disk(tmp_path / "image", "qcow2")):
        told = await tried.denied(remote.DOMAIN_ATTACH_DEVICE, remote.DomainAttachDeviceArgs(dom=GUEST, xml=xml))
        assert "disk source /etc/shadow" in told
    raw = remote.DomainAttachDeviceArgs(dom=GUEST, xml=disk(tmp_path / "image"))
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, raw)


@pytest_twisted.ensureDeferred
async def test_volumes_are_looked_at_where_they_lie(trying: Callable[..., Any], tmp_path: Path) -> None:
    attach = remote.DomainAttachDeviceArgs(dom=GUEST, xml="<disk><source pool='p' volume='v'/></disk>")
    tried = await trying("file /none")
    assert "volume p/v" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, attach)
    (tmp_path / "plain").write_bytes(b"")
    tried = await trying("volume p/v", **volume_at(tmp_path / "plain"))
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, attach)
    (tmp_path / "link").symlink_to("/etc/shadow")
    (tmp_path / "image").write_bytes(qcow2(b"/etc/shadow"))
    for name in ("link", "image"):
        tried = await trying("volume p/v", **volume_at(tmp_path / name))
        assert "disk source /etc/shadow" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, attach)
    clone = remote.StorageVolCreateXmlFromArgs(pool=POOL, xml="<volume/>", clonevol=VOLUME, flags=0)
    assert "disk source /etc/shadow" in await tried.denied(remote.STORAGE_VOL_CREATE_XML_FROM, clone)
    tried = await trying("volume p/v")
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, attach)


@pytest_twisted.ensureDeferred
async def test_a_volume_that_one_may_read_and_write_needs_no_grant(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(qcow2(b"/etc/shadow"))
    (tmp_path / "plain").write_bytes(b"")
    by_name = remote.DomainAttachDeviceArgs(dom=GUEST, xml="<disk><source pool='p' volume='v'/></disk>")
    by_path = remote.DomainAttachDeviceArgs(dom=GUEST, xml=disk(tmp_path / "plain"))
    answers = volume_at(tmp_path / "plain")
    answers["STORAGE_VOL_LOOKUP_BY_PATH"] = remote.StorageVolLookupByPathRet(vol=VOLUME)
    tried = await trying("file /none", **answers)
    seen = {"storage_pool:getattr p", "storage_vol:getattr v"}
    for missing in ("storage_vol:data_read v", "storage_vol:data_write v", "storage_vol:getattr v"):
        tried.judge.permissions = (seen | {"storage_vol:data_read v", "storage_vol:data_write v"}) - {missing}
        assert "volume p/v" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, by_name)
        assert "plain" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, by_path)
    tried.judge.permissions = seen | {"storage_vol:data_read v", "storage_vol:data_write v"}
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, by_name)
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, by_path)
    # What stands in its header is not the volume: the daemon knows no volume of that path.
    tried = await trying("file /none", **volume_at(tmp_path / "image"))
    tried.judge.permissions = seen | {"storage_vol:data_read v", "storage_vol:data_write v"}
    assert "/etc/shadow" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, by_name)


STARTS: list[tuple[Any, Any]] = [
    (remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=GUEST)),
    (remote.DOMAIN_CREATE_WITH_FLAGS, remote.DomainCreateWithFlagsArgs(dom=GUEST, flags=0)),
    (remote.DOMAIN_SET_AUTOSTART, remote.DomainSetAutostartArgs(dom=GUEST, autostart=1)),
]


@pytest_twisted.ensureDeferred
async def test_a_guest_is_looked_at_again_when_it_starts(trying: Callable[..., Any], tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(qcow2(b"base"))
    kept = guest(f"<domain><devices>{disk('/elsewhere')}{disk(image, 'qcow2')}</devices></domain>")
    tried = await trying(f"file {tmp_path}/*", **kept)
    # What stands in the guest itself was judged when it was defined, by somebody who had it granted.
    for procedure, args in STARTS:
        await tried.passes(procedure, args)
    image.write_bytes(qcow2(b"/etc/shadow"))
    for procedure, args in STARTS:
        told = await tried.denied(procedure, args)
        assert f"disk source /etc/shadow at the header of {image} is not granted (documents.disks)" in told
    await tried.passes(remote.DOMAIN_SET_AUTOSTART, remote.DomainSetAutostartArgs(dom=GUEST, autostart=0))


@pytest_twisted.ensureDeferred
async def test_saved_guests_and_snapshots_are_looked_at(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(qcow2(b"/etc/shadow"))
    opened = f"<domain><devices>{disk(tmp_path / 'image', 'qcow2')}</devices></domain>"
    saved = remote.DomainSaveImageGetXmlDescRet(xml=DOMAIN)
    tried = await trying("save_file *", DOMAIN_SAVE_IMAGE_GET_XML_DESC=saved)
    assert "disk source /etc/shadow at domain/" in await tried.denied(
        remote.DOMAIN_RESTORE, remote.DomainRestoreArgs(from_="/save/a")
    )
    answers = guest("<domain/>")
    answers["DOMAIN_HAS_MANAGED_SAVE_IMAGE"] = remote.DomainHasManagedSaveImageRet(result=1)
    answers["DOMAIN_MANAGED_SAVE_GET_XML_DESC"] = remote.DomainManagedSaveGetXmlDescRet(xml=opened)
    tried = await trying("file /none", **answers)
    assert "the header of" in await tried.denied(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=GUEST))
    forced = remote.DomainCreateWithFlagsArgs(dom=GUEST, flags=16)
    await tried.passes(remote.DOMAIN_CREATE_WITH_FLAGS, forced)
    snapshot = remote.DomainSnapshotGetXmlDescRet(xml=f"<domainsnapshot>{opened}</domainsnapshot>")
    tried = await trying("file /none", DOMAIN_SNAPSHOT_GET_XML_DESC=snapshot)
    revert = remote.DomainRevertToSnapshotArgs(snap=remote.NonnullDomainSnapshot(name="s", dom=GUEST), flags=0)
    assert "the header of" in await tried.denied(remote.DOMAIN_REVERT_TO_SNAPSHOT, revert)


@pytest_twisted.ensureDeferred
async def test_a_pool_is_looked_at_again_when_it_starts(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "images").symlink_to("/etc")
    xml = f"<pool type='dir'><target><path>{tmp_path}/images</path></target></pool>"
    tried = await trying("file /none", STORAGE_POOL_GET_XML_DESC=remote.StoragePoolGetXmlDescRet(xml=xml))
    told = await tried.denied(remote.STORAGE_POOL_CREATE, remote.StoragePoolCreateArgs(pool=POOL, flags=0))
    assert f"target of a pool /etc (as {tmp_path}/images)" in told


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_the_daemons_to_say(trying: Callable[..., Any]) -> None:
    tried = await trying("file /none", DOMAIN_GET_XML_DESC=VirtError.of(ErrorCode.NO_DOMAIN))
    await tried.passes(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=GUEST))


@pytest_twisted.ensureDeferred
async def test_a_long_document_is_read_as_well(trying: Callable[..., Any]) -> None:
    tried = await trying("file /images/*")
    filler = "<metadata>" + "x" * 100_000 + "</metadata>"
    long = f"<domain>{filler}<devices>{SHADOW}</devices></domain>"
    assert "/etc/shadow" in await tried.denied(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=long))
    await tried.passes(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=f"<domain>{filler}</domain>"))
