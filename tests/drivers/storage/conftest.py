# SPDX-License-Identifier: LGPL-2.1-or-later
"""A started storage driver in a directory of its own, and what tests ask of it over and over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.toy import result_of
from virtproxy.driver import Place, remote
from virtproxy.driver.harness import DriverHarness
from virtproxy.drivers.storage import StorageDriver

UUID = "11111111-2222-3333-4444-555555555555"


class Client(DriverHarness):
    """One client of a storage driver; each method is a call that must succeed."""

    def define(self, text: str) -> remote.NonnullStoragePool:
        """Define a pool."""
        return result_of(self.call(remote.STORAGE_POOL_DEFINE_XML, remote.StoragePoolDefineXmlArgs(text, 0))).pool

    def start(self, pool: remote.NonnullStoragePool) -> None:
        """Start it."""
        result_of(self.call(remote.STORAGE_POOL_CREATE, remote.StoragePoolCreateArgs(pool, 0)))

    def active(self, pool: remote.NonnullStoragePool) -> bool:
        """Whether it runs."""
        return bool(result_of(self.call(remote.STORAGE_POOL_IS_ACTIVE, remote.StoragePoolIsActiveArgs(pool))).active)

    def volumes(self, pool: remote.NonnullStoragePool) -> list[str]:
        """The names of its volumes."""
        args = remote.StoragePoolListVolumesArgs(pool, 1000)
        return result_of(self.call(remote.STORAGE_POOL_LIST_VOLUMES, args)).names

    def create(self, pool: remote.NonnullStoragePool, text: str) -> remote.NonnullStorageVol:
        """Make a volume."""
        args = remote.StorageVolCreateXmlArgs(pool, text, 0)
        return result_of(self.call(remote.STORAGE_VOL_CREATE_XML, args)).vol

    def volume_xml(self, volume: remote.NonnullStorageVol) -> str:
        """Its document."""
        args = remote.StorageVolGetXmlDescArgs(volume, 0)
        return result_of(self.call(remote.STORAGE_VOL_GET_XML_DESC, args)).xml


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], Client]:
    """Starts a driver on the test's directory, as a daemon does, and returns a client of it."""

    def starting() -> Client:
        driver = StorageDriver(Place.under(tmp_path))
        result_of(driver.ready())
        return Client(driver, uri="storage:///system")

    return starting


@pytest.fixture
def client(start: Callable[[], Client]) -> Client:
    """A client of a driver without pools."""
    return start()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a pool's volumes are."""
    path = tmp_path / "volumes"
    path.mkdir()
    return path


def pool_document(directory: Path, name: str = "p", uuid: str = UUID) -> str:
    """The document of a pool that is a directory."""
    return f"<pool type='dir'><name>{name}</name><uuid>{uuid}</uuid><target><path>{directory}</path></target></pool>"


def volume_document(name: str, capacity: int = 4096, more: str = "") -> str:
    """The document of a raw volume without blocks."""
    return f"<volume><name>{name}</name><capacity>{capacity}</capacity><allocation>0</allocation>{more}</volume>"
