# SPDX-License-Identifier: LGPL-2.1-or-later
"""The calls that change pools: defined, built, started, refreshed, stopped, deleted, undefined."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from virtproxy.documents import validate
from virtproxy.documents.storage import POOL_TYPES, parse_root
from virtproxy.documents.storage_pool import PoolDocument, parse
from virtproxy.driver import Call, VirtError, enums, implements, remote
from virtproxy.drivers.storage.capabilities import capabilities
from virtproxy.drivers.storage.errors import internal, invalid, unsupported
from virtproxy.drivers.storage.pool import Pool
from virtproxy.drivers.storage.state import Lifecycle, PoolState, check_paths

Build = enums.StoragePoolBuildFlags
Create = enums.StoragePoolCreateFlags
VALIDATE = enums.StoragePoolDefineFlags.VALIDATE
INACTIVE_XML = enums.StorageXMLFlags.INACTIVE


class Pools(PoolState):
    """Changes of pools; `lists` finds them."""

    @implements(remote.STORAGE_POOL_DEFINE_XML)
    async def pool_define(self, call: Call, args: remote.StoragePoolDefineXmlArgs) -> remote.StoragePoolDefineXmlRet:
        self.check_flags(call, args.flags, VALIDATE)
        document = _parse(args.xml, args.flags & VALIDATE)
        call.authorize(_named(document, self))
        return remote.StoragePoolDefineXmlRet(pool=(await self.whole(self._define(document))).ref())

    async def _define(self, document: PoolDocument) -> Pool:
        former = self.pools.claim(document.name, document.uuid)
        before = None if former is None else (former.document, former.following, former.backend, former.persistent)
        pool = self.take(document, persistent=True)
        try:
            await self.definitions.save(pool.name, document.format(), pool.uuid)
        except VirtError:
            if before is None:
                self.pools.remove(pool)
            else:
                pool.document, pool.following, pool.backend, pool.persistent = before
            raise
        self.tell(pool, Lifecycle.DEFINED)
        return pool

    @implements(remote.STORAGE_POOL_CREATE_XML)
    async def pool_create_xml(
        self, call: Call, args: remote.StoragePoolCreateXmlArgs
    ) -> remote.StoragePoolCreateXmlRet:
        self.check_flags(
            call, args.flags, Create.WITH_BUILD, Create.WITH_BUILD_OVERWRITE, Create.WITH_BUILD_NO_OVERWRITE
        )
        build = _build_flags(args.flags)
        document = _parse(args.xml, 0)
        call.authorize(_named(document, self))
        return remote.StoragePoolCreateXmlRet(pool=(await self.whole(self._create(document, build))).ref())

    async def _create(self, document: PoolDocument, build: int | None) -> Pool:
        pool = self.take(document, persistent=False, must_be_inactive=True)
        try:
            async with pool.lock:
                await self._start(pool, build)
        except BaseException:
            if not pool.persistent:
                self.pools.remove(pool)
            elif pool.following is not None:
                pool.document, pool.following = pool.following, None
            raise
        return pool

    @implements(remote.STORAGE_POOL_CREATE)
    async def pool_start(self, call: Call, args: remote.StoragePoolCreateArgs) -> None:
        self.check_flags(
            call, args.flags, Create.WITH_BUILD, Create.WITH_BUILD_OVERWRITE, Create.WITH_BUILD_NO_OVERWRITE
        )
        build = _build_flags(args.flags)
        await self._change(call, args.pool, lambda pool: self._start(pool, build))

    async def _start(self, pool: Pool, build: int | None) -> None:
        _check_inactive(pool, "already active")
        if build is not None:
            check_paths(pool.document)
            await pool.backend.build(pool, build)
        await self.activate(pool)

    @implements(remote.STORAGE_POOL_BUILD)
    async def pool_build(self, call: Call, args: remote.StoragePoolBuildArgs) -> None:
        async def build(pool: Pool) -> None:
            _check_inactive(pool, "already active")
            check_paths(pool.document)
            await pool.backend.build(pool, args.flags)
            self.tell(pool, Lifecycle.CREATED)

        await self._change(call, args.pool, build)

    @implements(remote.STORAGE_POOL_DELETE)
    async def pool_delete(self, call: Call, args: remote.StoragePoolDeleteArgs) -> None:
        async def delete(pool: Pool) -> None:
            _check_inactive(pool, "still active")
            pool.check_idle()
            check_paths(pool.document)
            await pool.backend.delete(pool, args.flags)
            self.tell(pool, Lifecycle.DELETED)

        await self._change(call, args.pool, delete)

    @implements(remote.STORAGE_POOL_DESTROY)
    async def pool_destroy(self, call: Call, args: remote.StoragePoolDestroyArgs) -> None:
        async def destroy(pool: Pool) -> None:
            pool.check_active()
            pool.check_idle()
            await self.deactivate(pool)

        await self._change(call, args.pool, destroy)

    @implements(remote.STORAGE_POOL_UNDEFINE)
    async def pool_undefine(self, call: Call, args: remote.StoragePoolUndefineArgs) -> None:
        async def undefine(pool: Pool) -> None:
            _check_inactive(pool, "still active")
            pool.check_idle()
            await self.definitions.delete(pool.name)
            self.pools.remove(pool)
            self.tell(pool, Lifecycle.UNDEFINED)

        await self._change(call, args.pool, undefine)

    @implements(remote.STORAGE_POOL_REFRESH)
    async def pool_refresh(self, call: Call, args: remote.StoragePoolRefreshArgs) -> None:
        self.check_flags(call, args.flags)

        async def refresh(pool: Pool) -> None:
            pool.check_active()
            pool.check_idle()
            await self.look_again(pool)

        await self._change(call, args.pool, refresh)

    @implements(remote.STORAGE_POOL_SET_AUTOSTART)
    async def pool_set_autostart(self, call: Call, args: remote.StoragePoolSetAutostartArgs) -> None:
        async def change(pool: Pool) -> None:
            if not pool.persistent:
                raise internal("pool has no config file")
            wanted = bool(args.autostart)
            if wanted != pool.autostart:
                await self.definitions.set_autostart(pool.name, wanted)
                pool.autostart = wanted

        await self._change(call, args.pool, change)

    @implements(remote.STORAGE_POOL_GET_XML_DESC)
    async def pool_xml(self, call: Call, args: remote.StoragePoolGetXmlDescArgs) -> remote.StoragePoolGetXmlDescRet:
        self.check_flags(call, args.flags, INACTIVE_XML)
        pool = self.pools.by_ref(args.pool)
        call.authorize(pool)
        shown = pool.definition if args.flags & INACTIVE_XML else pool.document
        return remote.StoragePoolGetXmlDescRet(xml=shown.format())

    @implements(remote.CONNECT_FIND_STORAGE_POOL_SOURCES)
    async def find_sources(
        self, call: Call, args: remote.ConnectFindStoragePoolSourcesArgs
    ) -> remote.ConnectFindStoragePoolSourcesRet:
        self.check_flags(call, args.flags)
        if args.type not in POOL_TYPES:
            raise internal(f"unknown storage pool type {args.type}")
        backend = self.backends.get(args.type)
        try:
            xml = await backend.find_sources(args.src_spec)
        except NotImplementedError:
            raise unsupported(f"pool type '{args.type}' does not support source discovery") from None
        return remote.ConnectFindStoragePoolSourcesRet(xml=xml)

    @implements(remote.CONNECT_GET_STORAGE_POOL_CAPABILITIES)
    async def pool_capabilities(
        self, call: Call, args: remote.ConnectGetStoragePoolCapabilitiesArgs
    ) -> remote.ConnectGetStoragePoolCapabilitiesRet:
        self.check_flags(call, args.flags)
        return remote.ConnectGetStoragePoolCapabilitiesRet(capabilities=capabilities())

    async def _change(
        self, call: Call, ref: remote.NonnullStoragePool, change: Callable[[Pool], Coroutine[Any, Any, None]]
    ) -> None:
        """Change a pool when its turn comes, if the caller may."""
        pool = self.pools.by_ref(ref)
        call.authorize(pool)

        async def in_turn() -> None:
            async with pool.lock:
                if pool not in self.pools:
                    self.pools.by_ref(ref)
                await change(pool)

        await self.whole(in_turn())


def _named(document: PoolDocument, driver: PoolState) -> Pool:
    """What a document will make, for the question whether the caller may."""
    return Pool(document, driver.backends.get(document.type), persistent=False)


def _parse(text: str, validated: int) -> PoolDocument:
    if validated:
        parse_root(text, "pool")
        validate.validate(text, "storagepool")
    return parse(text)


def _check_inactive(pool: Pool, how: str) -> None:
    if pool.active:
        raise invalid(f"storage pool '{pool.name}' is {how}")
    if pool.starting:
        raise invalid(f"storage pool '{pool.name}' is starting up")


def _build_flags(flags: int) -> int | None:
    """How a pool is built before its start; None if it is not."""
    if flags & Create.WITH_BUILD_OVERWRITE:
        return int(Build.OVERWRITE)
    if flags & Create.WITH_BUILD_NO_OVERWRITE:
        return int(Build.NO_OVERWRITE)
    return int(Build.NEW) if flags & Create.WITH_BUILD else None
