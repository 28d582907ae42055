# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pools and volumes as the driver holds them while it runs. They know their state, and refuse what it forbids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredLock

from virtproxy.documents.storage_pool import PoolDocument
from virtproxy.documents.storage_volume import VolumeDocument
from virtproxy.driver import ErrorCode, remote
from virtproxy.drivers.storage.errors import failure, internal, invalid

if TYPE_CHECKING:
    from virtproxy.drivers.storage.backends.base import Backend


class Volume:
    """One volume of a pool. `building` while its content is made, `in_use` by who reads it for a copy or a stream."""

    def __init__(self, pool: Pool, document: VolumeDocument) -> None:
        self.pool = pool
        self.document = document
        self.building = False
        self.in_use = 0

    @property
    def name(self) -> str:
        """Its name, one a pool."""
        return self.document.name

    @property
    def key(self) -> str:
        """What identifies it on the host: its path where it has nothing better."""
        return self.document.key or self.document.path

    def ref(self) -> remote.NonnullStorageVol:
        """How the protocol names it."""
        return remote.NonnullStorageVol(pool=self.pool.name, name=self.name, key=self.key)

    def check_idle(self) -> None:
        """VirtError OPERATION_INVALID if somebody is at it."""
        if self.in_use:
            raise invalid(f"volume '{self.name}' is still in use.")
        self.check_built()

    def check_built(self) -> None:
        """VirtError OPERATION_INVALID while its content is made."""
        if self.building:
            raise invalid(f"volume '{self.name}' is still being allocated.")

    @contextmanager
    def used(self) -> Iterator[None]:
        """It can be neither changed nor deleted during this."""
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1


class Pool:
    """One pool. `following` is the definition that holds from its next start on; None if that is the present one."""

    def __init__(self, document: PoolDocument, backend: Backend, *, persistent: bool) -> None:
        self.document = document
        self.name, self.uuid = document.name, document.uuid
        self.following: PoolDocument | None = None
        self.backend = backend
        self.persistent = persistent
        self.autostart = False
        self.active = False
        self.starting = False
        self.jobs = 0
        # Changes of its state, one at a time.
        self.lock = DeferredLock()
        self.volumes: dict[str, Volume] = {}

    @property
    def definition(self) -> PoolDocument:
        """What is on disk of it."""
        return self.document if self.following is None else self.following

    @property
    def path(self) -> str:
        """The directory with its volumes; empty if it has none."""
        return self.document.target or ""

    def ref(self) -> remote.NonnullStoragePool:
        """How the protocol names it."""
        return remote.NonnullStoragePool(name=self.name, uuid=self.uuid)

    def check_active(self) -> None:
        """VirtError OPERATION_INVALID unless it runs."""
        if not self.active:
            raise invalid(f"storage pool '{self.name}' is not active")

    def check_idle(self) -> None:
        """VirtError INTERNAL_ERROR while volumes are made in it, OPERATION_INVALID while it is being started."""
        if self.starting:
            raise invalid(f"storage pool '{self.name}' is starting up")
        if self.jobs:
            raise internal(f"pool '{self.name}' has asynchronous jobs running.")

    @contextmanager
    def busy(self) -> Iterator[None]:
        """It can be neither stopped nor refreshed during this."""
        self.jobs += 1
        try:
            yield
        finally:
            self.jobs -= 1

    def volume(self, name: str) -> Volume:
        """The volume of that name; VirtError if there is none."""
        found = self.volumes.get(name)
        if found is None:
            raise failure(ErrorCode.NO_STORAGE_VOL, f"no storage vol with matching name '{name}'")
        return found

    def add(self, document: VolumeDocument) -> Volume:
        """Take a volume in."""
        volume = self.volumes[document.name] = Volume(self, document)
        return volume

    def account(self, size: int) -> None:
        """So many bytes more are taken by volumes."""
        self.document.allocation = max(self.document.allocation + size, 0)
        self.document.available = max(self.document.available - size, 0)

    def forget_content(self) -> None:
        """It runs no more: nothing is known of its volumes and sizes."""
        self.volumes.clear()
        document = self.document
        document.capacity = document.allocation = document.available = 0
        for device in document.source.devices:
            device.free.clear()
