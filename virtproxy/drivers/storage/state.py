# SPDX-License-Identifier: LGPL-2.1-or-later
"""All pools of a host or user, their files, and the changes of their state: started, stopped, refreshed.

The driver's calls are built on it. A change runs to its end even if the client leaves; each pool has one at a time.
"""

from __future__ import annotations

import os
from typing import TypeVar

from twisted.logger import Logger

from virtproxy.documents.storage_pool import PoolDocument, parse, parse_state
from virtproxy.driver import (
    Call,
    Definitions,
    Driver,
    ErrorDomain,
    EventClass,
    Objects,
    Place,
    StatusFiles,
    VirtError,
    enums,
    kinds,
    remote,
)
from virtproxy.drivers.storage.backends import Backends
from virtproxy.drivers.storage.backends.directory import refuse_flags
from virtproxy.drivers.storage.errors import failed, invalid, invalid_argument
from virtproxy.drivers.storage.pool import Pool, Volume

T = TypeVar("T")
Lifecycle = enums.StoragePoolEventLifecycleType
# Its presence says that pools were started by themselves since the host's start.
AUTOSTARTED = "autostarted"
_log = Logger()


class PoolState(Driver):
    """The pools, as far as no client is needed for them."""

    name = "storage"
    error_domain = ErrorDomain.STORAGE
    event_classes = frozenset({EventClass.STORAGE})

    def __init__(self, place: Place | None = None) -> None:
        super().__init__(place)
        self.pools: Objects[Pool] = Objects(kinds.POOLS)
        self.backends = Backends(self.place)
        running = "storage" if self.place.mode == "system" else "storage/run"
        self.definitions = Definitions(self.place, "storage", edit="pool-edit", autostart="storage/autostart")
        self.states = StatusFiles(self.place, running, edit="pool-edit")

    # Its life

    async def start(self) -> None:
        """Take up the pools that run, read the definitions, and start what starts by itself, once after a boot."""
        for state in await self.states.load(parse_state):
            self._take(state.value, persistent=False).active = True
        await self._load()
        for pool in self.pools:
            if pool.active:
                await self._attach(pool)
        if await self.place.blocking(_first_start, self.states.directory):
            await self._autostart()

    async def reload(self) -> None:
        """Read definitions anew that were put there by hand, and start those that start by themselves."""
        await self._load()
        await self._autostart()

    async def _load(self) -> None:
        for definition in await self.definitions.load(parse):
            try:
                pool = self.take(definition.value, persistent=True)
            except VirtError as error:
                _log.error("the pool '{name}' is not used: {error}", name=definition.name, error=error)
                continue
            pool.autostart = definition.autostart

    async def _autostart(self) -> None:
        for pool in self.pools:
            if pool.autostart and not pool.active:
                try:
                    await self.activate(pool)
                except VirtError as error:
                    _log.error("the pool '{name}' does not start: {error}", name=pool.name, error=error)

    async def _attach(self, pool: Pool) -> None:
        """Go on with a pool that was active when the daemon ended."""
        try:
            if await pool.backend.is_active(pool):
                await pool.backend.attach(pool)
                await self._fill(pool)
                return
            _log.info("the pool '{name}' is active no more", name=pool.name)
        except VirtError as error:
            _log.error("the pool '{name}' is active no more: {error}", name=pool.name, error=error)
        pool.active = False
        await self.states.delete(pool.name)
        self._ended(pool)

    # The table

    def take(self, document: PoolDocument, *, persistent: bool, must_be_inactive: bool = False) -> Pool:
        """The pool that the document is about, changed to it, or a new one. VirtError if it cannot be."""
        backend = self.backends.get(document.type)
        former = self.pools.claim(document.name, document.uuid)
        if former is not None and must_be_inactive and (former.active or former.starting):
            raise invalid(f"pool is already active as '{former.name}'")
        self._check_source(document)
        if former is None:
            return self.pools.add(Pool(document, backend, persistent=persistent))
        if former.active or former.starting:
            former.following = document
        else:
            former.following = former.document if must_be_inactive and former.persistent else None
            former.document, former.backend = document, backend
        former.persistent = former.persistent or persistent
        return former

    def _take(self, document: PoolDocument, *, persistent: bool) -> Pool:
        return self.pools.add(Pool(document, self.backends.get(document.type), persistent=persistent))

    def _check_source(self, document: PoolDocument) -> None:
        for pool in self.pools:
            if pool.name != document.name and _same_source(pool.document, document):
                raise failed(f"Storage source conflict with pool: '{pool.name}'")

    def volume_of(self, ref: remote.NonnullStorageVol) -> Volume:
        """The volume that a client's reference speaks of. VirtError."""
        pool = self.pools.by_name(ref.pool)
        pool.check_active()
        return pool.volume(ref.name)

    # Changes

    async def activate(self, pool: Pool) -> None:
        """Start a pool: the state's file is there before the host is changed, so that a crash hides nothing."""
        check_paths(pool.document)
        pool.starting = True
        try:
            await self.states.save(pool.name, pool.document.format_state(), pool.uuid)
            try:
                await pool.backend.start(pool)
                await self._fill(pool)
            except BaseException:
                await self._undo(pool)
                raise
        finally:
            pool.starting = False
        pool.active = True
        self.tell(pool, Lifecycle.STARTED)

    async def _undo(self, pool: Pool) -> None:
        try:
            await pool.backend.stop(pool)
        except VirtError as error:
            _log.info("stopping '{name}', which did not start: {error}", name=pool.name, error=error)
        pool.forget_content()
        await self.states.delete(pool.name)

    async def deactivate(self, pool: Pool) -> None:
        """Stop a pool. VirtError if the host does not let go of it."""
        await pool.backend.stop(pool)
        await self.states.delete(pool.name)
        pool.active = False
        self.tell(pool, Lifecycle.STOPPED)
        self._ended(pool)

    async def look_again(self, pool: Pool) -> None:
        """Find the pool's volumes anew; one that cannot be read is stopped."""
        try:
            await self._fill(pool)
        except VirtError:
            await self._undo(pool)
            pool.active = False
            self.tell(pool, Lifecycle.STOPPED)
            self._ended(pool)
            raise
        self.emit(remote.STORAGE_POOL_EVENT_REFRESH, pool)

    async def _fill(self, pool: Pool) -> None:
        documents = await pool.backend.refresh(pool)
        pool.volumes = {document.name: Volume(pool, document) for document in documents}

    def _ended(self, pool: Pool) -> None:
        pool.forget_content()
        if not pool.persistent:
            self.pools.remove(pool)
        elif pool.following is not None:
            pool.document, pool.following = pool.following, None
            pool.backend = self.backends.get(pool.document.type)

    def tell(self, pool: Pool, event: int) -> None:
        """Tell whoever listens what became of a pool."""
        self.emit(remote.STORAGE_POOL_EVENT_LIFECYCLE, pool, event, 0)

    def check_flags(self, call: Call, flags: int, *allowed: int) -> None:
        """VirtError INVALID_ARG if `flags` has a bit that is in none of `allowed`."""
        for bits in allowed:
            flags &= ~int(bits)
        refuse_flags(flags, "storage" + (call.procedure.api or "").removeprefix("vir").removeprefix("Storage"))


def _first_start(directory: str) -> bool:
    """Whether no daemon has started pools by themselves since the host's start; the next one is told."""
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        os.close(os.open(os.path.join(directory, AUTOSTARTED), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return False
    except OSError as error:
        _log.error("{path} cannot be written: {error}", path=directory, error=error.strerror)
    return True


def check_paths(document: PoolDocument) -> None:
    """VirtError INVALID_ARG for a path that a program could take for an option."""
    paths = [document.target, *(device.path for device in document.source.devices if document.type != "iscsi")]
    for path in paths:
        if path is not None and not path.startswith("/"):
            raise invalid_argument(f"the path '{path}' of pool '{document.name}' is not absolute")


def _same_source(one: PoolDocument, other: PoolDocument) -> bool:
    """Whether two pools would have the same volumes."""
    hosts = one.source.hosts[:1] == other.source.hosts[:1]
    if {one.type, other.type} <= {"fs", "logical", "disk"}:
        devices = {device.path for device in one.source.devices}
        return any(device.path in devices for device in other.source.devices)
    if one.type != other.type:
        return False
    if one.type == "netfs":
        return hosts and one.source.dir == other.source.dir
    if one.type == "iscsi":
        devices = {device.path for device in one.source.devices}
        return hosts and any(device.path in devices for device in other.source.devices)
    return one.type == "dir" and one.target == other.target
