# SPDX-License-Identifier: LGPL-2.1-or-later
"""The storage driver's calls: permissions, events, streams, restarts. The rest is compared with libvirt's own driver
in test_against_libvirt.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.storage.conftest import UUID, Client, pool_document, volume_document
from tests.support.toy import error_of, result_of
from virtproxy.driver import ErrorCode, ErrorDomain, Hole, Identity, Place, VirtError, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.storage import StorageDriver
from virtproxy.drivers.storage.local import HIDDEN

Start = Callable[[], Client]


def test_every_procedure_of_the_family_is_served(client: Client) -> None:
    family = {
        p for p in remote.PROGRAM.procedures.values() if p.family.value == "storage" and not p.event and not p.edge
    }
    assert len(family) > 35
    missing = {procedure.name for procedure in family if not client.backend.driver.method(procedure)}
    assert not missing


def test_only_the_uri_of_its_mode_is_served(client: Client) -> None:
    with pytest.raises(VirtError, match="unexpected storage URI path '/session', try storage:///system"):
        client.backend.driver.check_uri("storage:///session")


def test_a_pools_life_is_told(client: Client, directory: Path) -> None:
    args = remote.ConnectStoragePoolEventRegisterAnyArgs(event_id=0, pool=None)
    result_of(client.call(remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, args))
    refresh = remote.ConnectStoragePoolEventRegisterAnyArgs(event_id=1, pool=None)
    result_of(client.call(remote.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, refresh))
    pool = client.define(pool_document(directory))
    client.start(pool)
    result_of(client.call(remote.STORAGE_POOL_REFRESH, remote.StoragePoolRefreshArgs(pool, 0)))
    result_of(client.call(remote.STORAGE_POOL_DESTROY, remote.StoragePoolDestroyArgs(pool)))
    result_of(client.call(remote.STORAGE_POOL_UNDEFINE, remote.StoragePoolUndefineArgs(pool)))
    assert [getattr(message, "event", "refresh") for _, message in client.events] == [0, 2, "refresh", 3, 1]


def test_a_daemon_that_starts_again_takes_up_what_runs(start: Start, directory: Path, tmp_path: Path) -> None:
    first = start()
    pool = first.define(pool_document(directory))
    first.start(pool)
    first.create(pool, volume_document("v"))
    other = tmp_path / "other"
    other.mkdir()
    first.define(pool_document(other, "idle", UUID.replace("1111", "2222")))
    second = start()
    assert second.active(pool)
    assert second.volumes(pool) == ["v"]
    names = result_of(
        second.call(remote.CONNECT_LIST_DEFINED_STORAGE_POOLS, remote.ConnectListDefinedStoragePoolsArgs(9))
    )
    assert names.names == ["idle"]


def test_a_pool_whose_directory_went_away_is_not_active_after_a_restart(start: Start, directory: Path) -> None:
    first = start()
    pool = first.define(pool_document(directory))
    first.start(pool)
    directory.rmdir()
    assert not start().active(pool)


def test_pools_start_by_themselves_once_after_a_boot(start: Start, directory: Path, tmp_path: Path) -> None:
    first = start()
    pool = first.define(pool_document(directory))
    result_of(first.call(remote.STORAGE_POOL_SET_AUTOSTART, remote.StoragePoolSetAutostartArgs(pool, 1)))
    assert not start().active(pool)
    (tmp_path / "run" / "storage" / "autostarted").unlink()
    assert start().active(pool)


def test_what_a_daemon_left_unfinished_is_removed_and_nothing_else(
    start: Start, directory: Path, tmp_path: Path
) -> None:
    first = start()
    pool = first.define(pool_document(directory))
    first.start(pool)
    for name in (".virtproxy-00000001", ".virtproxy-00000002", "mine"):
        (directory / name).mkdir()
        (directory / name / "v").write_text("half")
    record = tmp_path / "state" / "storage" / "unfinished" / ".virtproxy-00000001"
    record.parent.mkdir(parents=True)
    record.write_text(str(directory))
    second = start()
    assert second.volumes(pool) == ["mine"]
    assert sorted(path.name for path in directory.iterdir()) == [".virtproxy-00000002", "mine"]
    assert not record.exists()


def test_a_volume_whose_making_fails_leaves_nothing(client: Client, directory: Path) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    args = remote.StorageVolCreateXmlArgs(pool, volume_document("v", 2**62), 0)
    error = error_of(client, remote.STORAGE_VOL_CREATE_XML, args)
    assert error.code == ErrorCode.SYSTEM_ERROR
    assert client.volumes(pool) == []
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("name", ["../out", "a/b", ".", "..", ".virtproxy-12345678"])
def test_no_volume_leaves_its_pool(client: Client, directory: Path, name: str) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    args = remote.StorageVolCreateXmlArgs(pool, volume_document(name), 0)
    assert error_of(client, remote.STORAGE_VOL_CREATE_XML, args).domain == ErrorDomain.STORAGE
    assert sorted(os.listdir(directory.parent)) == ["config", "run", "volumes"]


def test_holes_go_both_ways(client: Client, directory: Path) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    size = 64 * 1024 * 1024
    volume = client.create(pool, volume_document("v", size))
    args = remote.StorageVolUploadArgs(volume, 0, size, 1)
    _, stream = result_of(client.open(remote.STORAGE_VOL_UPLOAD, args))
    stream.send(b"begin")
    stream.send_hole(size - 8)
    stream.send(b"end")
    result_of(stream.finish())
    assert (directory / "v").stat().st_blocks * 512 < 1024 * 1024
    _, back = result_of(client.open(remote.STORAGE_VOL_DOWNLOAD, remote.StorageVolDownloadArgs(volume, 0, 0, 1)))
    result_of(back.until(lambda: back.ended))
    assert any(isinstance(item, Hole) for item in back.items)
    assert sum(item if isinstance(item, Hole) else len(item) for item in back.items) == size
    result_of(back.finish())


def test_a_volume_in_a_stream_is_neither_deleted_nor_its_pool_stopped(client: Client, directory: Path) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    volume = client.create(pool, volume_document("v"))
    _, stream = result_of(client.open(remote.STORAGE_VOL_UPLOAD, remote.StorageVolUploadArgs(volume, 0, 0, 0)))
    stream.send(b"x")
    error = error_of(client, remote.STORAGE_VOL_DELETE, remote.StorageVolDeleteArgs(volume, 0))
    assert error.message == "Requested operation is not valid: volume 'v' is still in use."
    error = error_of(client, remote.STORAGE_POOL_DESTROY, remote.StoragePoolDestroyArgs(pool))
    assert error.message == "internal error: pool 'p' has asynchronous jobs running."
    result_of(stream.finish())
    result_of(client.call(remote.STORAGE_VOL_DELETE, remote.StorageVolDeleteArgs(volume, 0)))
    assert not (directory / "v").exists()


def test_more_than_the_length_ends_an_upload(client: Client, directory: Path) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    volume = client.create(pool, volume_document("v"))
    _, stream = result_of(client.open(remote.STORAGE_VOL_UPLOAD, remote.StorageVolUploadArgs(volume, 0, 4, 0)))
    stream.send(b"12345")
    with pytest.raises(VirtError, match="cannot write to stream"):
        result_of(stream.finish())


class Refusing:
    """Grants everything but one permission on one kind of object."""

    def __init__(self, kind: str, permission: str) -> None:
        self.refused = (kind, permission)

    def permits(self, identity: Identity, driver: str, kind: str, permission: str, subject: object) -> bool:
        return (kind, permission) != self.refused


@pytest.mark.parametrize(
    ("kind", "permission", "procedure"),
    [
        ("storage_pool", "stop", remote.STORAGE_POOL_DESTROY),
        ("storage_pool", "delete", remote.STORAGE_POOL_UNDEFINE),
        ("storage_pool", "format", remote.STORAGE_POOL_DELETE),
        ("storage_vol", "create", remote.STORAGE_VOL_CREATE_XML),
        ("storage_vol", "delete", remote.STORAGE_VOL_DELETE),
        ("storage_vol", "format", remote.STORAGE_VOL_WIPE),
        ("storage_vol", "data_read", remote.STORAGE_VOL_DOWNLOAD),
        ("storage_vol", "data_write", remote.STORAGE_VOL_UPLOAD),
        ("storage_vol", "resize", remote.STORAGE_VOL_RESIZE),
    ],
)
def test_who_may_not_changes_nothing(
    client: Client, directory: Path, kind: str, permission: str, procedure: Any
) -> None:
    pool = client.define(pool_document(directory))
    client.start(pool)
    volume = client.create(pool, volume_document("v"))
    other = DriverHarness(client.backend.driver, uri="storage:///system", access=Refusing(kind, permission))
    values = {"pool": pool, "vol": volume, "xml": volume_document("w")}
    args = procedure.args(*(values.get(name, 0) for name in procedure.args.__match_args__))
    error = error_of(other, procedure, args)
    assert error.code == ErrorCode.ACCESS_DENIED
    assert client.volumes(pool) == ["v"]


def test_hidden_names_are_only_its_own() -> None:
    assert HIDDEN.fullmatch(".virtproxy-0123abcd")
    assert not HIDDEN.fullmatch(".virtproxy-0123abcde")


def test_a_session_keeps_its_state_where_libvirts_does(tmp_path: Path, directory: Path) -> None:
    driver = StorageDriver(Place.under(tmp_path, mode="session"))
    result_of(driver.ready())
    client = Client(driver, uri="storage:///session")
    client.start(client.define(pool_document(directory)))
    assert (tmp_path / "run" / "storage" / "run" / "p.xml").exists()
    assert (tmp_path / "config" / "storage" / "p.xml").exists()


@pytest.mark.parametrize(
    "procedure", [remote.STORAGE_POOL_CREATE, remote.STORAGE_POOL_BUILD, remote.STORAGE_POOL_DELETE]
)
@pytest.mark.parametrize("document", [
    pool_document(Path("-x/y")),
    "<pool type='fs'><name>p</name><source><device path='--help'/></source><target><path>/t</path></target></pool>",
])  # fmt: skip
def test_no_path_can_be_an_option_of_a_program(client: Client, document: str, procedure: Any) -> None:
    pool = client.define(document)
    error = error_of(client, procedure, procedure.args(pool, 0))
    assert error.code == ErrorCode.INVALID_ARG
    assert "is not absolute" in (error.message or "")
