# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the document stage reads again: guests that start, saved ones, snapshots, pools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest_twisted

from tests.routing.rules.document_cases import DOMAIN, GUEST, POOL, disk
from tests.routing.rules.document_trying import guest, qcow2
from virtproxy.errors import VirtError
from virtproxy.protocol import remote
from virtproxy.protocol.errors import ErrorCode

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
        assert f"disk source /etc/shadow at the header of {image} is not granted (documents.readonly_disks)" in told
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
    by_itself = remote.StoragePoolSetAutostartArgs(pool=POOL, autostart=1)
    assert "target of a pool /etc" in await tried.denied(remote.STORAGE_POOL_SET_AUTOSTART, by_itself)
    await tried.passes(remote.STORAGE_POOL_SET_AUTOSTART, remote.StoragePoolSetAutostartArgs(pool=POOL, autostart=0))


@pytest_twisted.ensureDeferred
async def test_what_is_not_there_is_the_daemons_to_say(trying: Callable[..., Any]) -> None:
    tried = await trying("file /none", DOMAIN_GET_XML_DESC=VirtError.of(ErrorCode.NO_DOMAIN))
    await tried.passes(remote.DOMAIN_CREATE, remote.DomainCreateArgs(dom=GUEST))


LIVE = (
    "<domain><devices><disk><source file='/images/top' index='3'/><backingStore index='2'>"
    "<source file='/images/middle'/><backingStore index='1'>"
    "<source file='/templates/base'/><backingStore/></backingStore></backingStore>"
    "<target dev='vda'/></disk></devices></domain>"
)
# (base, top, flags): what is written to
COMMITS: list[tuple[str | None, str | None, int, str]] = [
    (None, None, 0, "/templates/base"),
    (None, None, 1, "/images/middle"),
    (None, "vda[2]", 1, "/templates/base"),
    (None, "/images/middle", 1, "/templates/base"),
    ("vda[2]", None, 0, "/images/middle"),
    ("vda[1]", None, 0, "/templates/base"),
    ("/images/middle", None, 0, "/images/middle"),
    ("/elsewhere", None, 0, "/elsewhere"),
    ("vda[9]", None, 0, "vda[9]"),
    (None, "/unknown", 1, "an image that nobody knows"),
]


@pytest_twisted.ensureDeferred
async def test_a_commit_writes_to_what_may_be_written_alone(trying: Callable[..., Any]) -> None:
    tried = await trying("file /images/*", "readonly_file /templates/*", **guest(LIVE))
    for base, top, flags, written in COMMITS:
        commit = remote.DomainBlockCommitArgs(dom=GUEST, disk="vda", base=base, top=top, bandwidth=0, flags=flags)
        if written.startswith("/images"):
            await tried.passes(remote.DOMAIN_BLOCK_COMMIT, commit)
        else:
            assert f"disk source {written} " in await tried.denied(remote.DOMAIN_BLOCK_COMMIT, commit)


@pytest_twisted.ensureDeferred
async def test_what_is_only_read_may_not_be_copied_to(trying: Callable[..., Any]) -> None:
    xml = "<disk><source file='/templates/a'/><readonly/></disk>"
    tried = await trying("readonly_file /templates/*")
    await tried.passes(remote.DOMAIN_ATTACH_DEVICE, remote.DomainAttachDeviceArgs(dom=GUEST, xml=xml))
    copy = remote.DomainBlockCopyArgs(dom=GUEST, path="vda", destxml=xml, params=[], flags=0)
    assert "disk source /templates/a" in await tried.denied(remote.DOMAIN_BLOCK_COPY, copy)
