# SPDX-License-Identifier: LGPL-2.1-or-later
"""The document stage: which calls it judges, and what it refuses before a daemon hears of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import pytest_twisted

from tests.routing.rules.document_cases import DENIED, DOMAIN, GUEST, POOL, SHADOW, VOLUME, disk
from tests.routing.rules.document_trying import qcow2, volume_at
from virtproxy.errors import VirtError
from virtproxy.protocol import programs, remote
from virtproxy.protocol.errors import ErrorCode
from virtproxy.routing.rules.document_calls import CALLS, HARMLESS

PROCEDURES = [
    procedure
    for program in (programs.BY_NUMBER[number] for number in programs.BY_NUMBER)
    if program.name in ("remote", "qemu", "lxc")
    for procedure in program.procedures.values()
    if not procedure.event
]


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
    # It is looked at when the guest starts: so far there is no such volume, or its pool is not started.
    tried = await trying("volume p/v")
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, attach)
    stopped = {**volume_at("/p/v"), "STORAGE_VOL_LOOKUP_BY_NAME": VirtError.of(ErrorCode.OPERATION_INVALID)}
    tried = await trying("volume p/v", **stopped)
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


@pytest_twisted.ensureDeferred
async def test_networks_and_secrets_of_ones_own_need_no_grant(trying: Callable[..., Any]) -> None:
    uuid = "6b3e0a9c-8d0a-4a33-9a5e-0c5a4f9d7b11"
    network = "<interface type='network'><source network='n'/></interface>"
    secret = f"<disk><auth username='u'><secret type='ceph' uuid='{uuid}'/></auth></disk>"
    tried = await trying("file /none", **volume_at("/p/v"))
    for xml, kind, permission in ((network, "network", "write"), (secret, "secret", "read_secure")):
        attach = remote.DomainAttachDeviceArgs(dom=GUEST, xml=xml)
        name = "n" if kind == "network" else str(UUID(uuid).bytes)
        tried.judge.permissions = {f"{kind}:getattr {name}"}
        assert kind in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, attach)
        tried.judge.permissions.add(f"{kind}:{permission} {name}")
        await tried.passes(remote.DOMAIN_ATTACH_DEVICE, attach)


VOLUME_CALLS: list[tuple[Any, Any]] = [
    (remote.STORAGE_VOL_WIPE, remote.StorageVolWipeArgs(vol=VOLUME, flags=0)),
    (remote.STORAGE_VOL_WIPE_PATTERN, remote.StorageVolWipePatternArgs(vol=VOLUME, algorithm=0, flags=0)),
    (remote.STORAGE_VOL_RESIZE, remote.StorageVolResizeArgs(vol=VOLUME, capacity=1, flags=0)),
    (remote.STORAGE_VOL_UPLOAD, remote.StorageVolUploadArgs(vol=VOLUME, offset=0, length=0, flags=0)),
    (remote.STORAGE_VOL_DOWNLOAD, remote.StorageVolDownloadArgs(vol=VOLUME, offset=0, length=0, flags=0)),
    (
        remote.STORAGE_VOL_CREATE_XML_FROM,
        remote.StorageVolCreateXmlFromArgs(pool=POOL, xml="<volume/>", clonevol=VOLUME, flags=0),
    ),
]


@pytest_twisted.ensureDeferred
async def test_a_volume_that_is_a_link_is_neither_read_nor_written(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/shadow")
    (tmp_path / "plain").write_bytes(b"")
    tried = await trying("file /none", **volume_at(tmp_path / "link"))
    for procedure, args in VOLUME_CALLS:
        assert "disk source /etc/shadow" in await tried.denied(procedure, args)
    tried = await trying("file /none", **volume_at(tmp_path / "plain"))
    for procedure, args in VOLUME_CALLS:
        await tried.passes(procedure, args)


@pytest_twisted.ensureDeferred
async def test_nothing_is_opened_that_is_not_granted(trying: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(qcow2(b"other/hidden"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/hidden").write_bytes(qcow2(b"/told/by/the/hidden/image"))
    tried = await trying(f"file {tmp_path}/image")
    attach = remote.DomainAttachDeviceArgs(dom=GUEST, xml=disk(tmp_path / "image", "qcow2"))
    assert "other/hidden" in await tried.denied(remote.DOMAIN_ATTACH_DEVICE, attach)
    assert not any("told" in judged for judged in tried.judge.judged)


@pytest_twisted.ensureDeferred
async def test_a_long_document_is_read_as_well(trying: Callable[..., Any]) -> None:
    tried = await trying("file /images/*")
    filler = "<metadata>" + "x" * 100_000 + "</metadata>"
    long = f"<domain>{filler}<devices>{SHADOW}</devices></domain>"
    assert "/etc/shadow" in await tried.denied(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=long))
    await tried.passes(remote.DOMAIN_DEFINE_XML, remote.DomainDefineXmlArgs(xml=f"<domain>{filler}</domain>"))
